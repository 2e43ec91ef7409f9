package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unwritable is a run whose directory cannot be written from a random step on, which
// hinder sees to until the process has ended, and undo ends. The run must end with its own exit
// code and say, a line or two, what hinders it; leave nothing half written; keep what it has saved;
// refuse to go on while it is hindered; and afterwards go on as if nothing had been.
func (t *try) unwritable(says string, hinder func(p *process) error, undo func() error) error {
	p, err := t.reach(atStep(2, 10))
	if err != nil {
		return err
	}
	if err := errors.Join(t.hindered(p, says, hinder), undo()); err != nil {
		return err
	}
	if err := leftovers(t.run()); err != nil && t.cleans {
		return err
	}
	return t.finish()
}

// hindered is the part of unwritable in which the directory cannot be written.
func (t *try) hindered(p *process, says string, hinder func(p *process) error) error {
	asked := time.Now()
	if err := hinder(p); err != nil {
		return err
	}
	if err := t.endsOf(p, asked, codeUnwritable); err != nil {
		return err
	}
	if !strings.Contains(p.said(), says) {
		return fmt.Errorf("it does not say %q: %s", says, lastLine(p.said()))
	}
	if err := t.newestIsWhole(); err != nil {
		return err
	}
	again, err := t.live()
	if err != nil {
		return err
	}
	if err := again.ends(codeUnwritable); err != nil {
		return fmt.Errorf("started while it cannot be written: %w", err)
	}
	return nil
}

// ballast takes all that is left of a file system, and what a removed checkpoint gives back,
// until it is enough.
func ballast(path string, enough func() bool) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for chunk := make([]byte, 1<<16); !enough(); {
		_, err := f.Write(chunk)
		switch {
		case err == nil:
			continue
		case !errors.Is(err, unix.ENOSPC):
			return err
		case len(chunk) > 4096:
			chunk = chunk[:4096]
		default:
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

var diskFull = fault{
	name: "disk full", injected: "a tmpfs of 24 MB, filled to the last block from a random step on",
	attack: func(b *bench) outcome {
		return b.onTmpfs(b.count(6, 1), "size=24m", b.everyStep("go", 18), func(t *try) error {
			t.cleans = true
			path := filepath.Join(t.dir, "runs", "ballast")
			return t.unwritable("no space left on device", func(p *process) error { return ballast(path, p.over) },
				func() error { return os.Remove(path) })
		})
	},
}

// fullForAWhile is a disk that somebody makes room on again while the run has patience.
var fullForAWhile = fault{
	name: "disk full for a while", injected: "the same for 0.5 to 3 s; the run goes on by itself",
	attack: func(b *bench) outcome {
		return b.onTmpfs(b.count(4, 1), "size=24m", func(i int) recipe {
			r := b.everyStep("go", 18)(i)
			r.patience = 10
			return r
		}, func(t *try) error {
			p, err := t.reach(atStep(2, 8))
			if err != nil {
				return err
			}
			path := filepath.Join(t.dir, "runs", "ballast")
			enough := time.Now().Add(t.between(500*time.Millisecond, 3*time.Second))
			err = ballast(path, func() bool { return p.over() || time.Now().After(enough) })
			freed := time.Now()
			err = errors.Join(err, os.Remove(path), p.ends(codeDone))
			if err != nil {
				return err
			}
			t.recovered = append(t.recovered, time.Since(freed))
			t.blind = true
			return t.verify()
		})
	},
}

var noInodes = fault{
	name: "no inode left", injected: "a tmpfs of 60 inodes, filled with empty files from a random step on",
	attack: func(b *bench) outcome {
		return b.onTmpfs(b.count(6, 1), "nr_inodes=60", b.everyStep("go", 18), func(t *try) error {
			t.cleans = true
			dir := filepath.Join(t.dir, "runs", "ballast")
			return t.unwritable("no space left on device", func(p *process) error {
				if err := os.Mkdir(dir, 0o755); err != nil {
					return err
				}
				for i := 0; !p.over(); i++ {
					f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
					if err == nil {
						f.Close()
					} else {
						time.Sleep(time.Millisecond)
					}
				}
				return nil
			}, func() error { return os.RemoveAll(dir) })
		})
	},
}

var sizeLimit = fault{
	name: "file size limit", injected: "RLIMIT_FSIZE of 100 KB, set on the process at a random step (prlimit)",
	attack: func(b *bench) outcome {
		return b.tries(b.count(6, 1), b.everyStep("go", 18), func(t *try) error {
			p, err := t.reach(atStep(2, 10))
			if err != nil {
				return err
			}
			asked := time.Now()
			limit := unix.Rlimit{Cur: 100_000, Max: 100_000}
			if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
			if err := t.endsOf(p, asked, codeUnwritable); err != nil {
				return err
			}
			if !strings.Contains(p.said(), "file too large") {
				return fmt.Errorf("it does not say what hinders it: %s", lastLine(p.said()))
			}
			if err := errors.Join(leftovers(t.run()), t.newestIsWhole()); err != nil {
				return err
			}
			return t.finish()
		})
	},
}

var readOnly = fault{
	name: "read-only file system", injected: "the run directory mounted over itself (bind), read-only, at a random step",
	attack: func(b *bench) outcome {
		return b.mounting(b.count(6, 1), b.everyStep("go", 18), func(t *try) error {
			dir := t.run()
			return t.unwritable("read-only file system", func(*process) error {
				if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
					return err
				}
				return unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
			}, func() error { return unix.Unmount(dir, unix.MNT_DETACH) })
		})
	},
}

// nobody is a user without rights.
const nobody = 65534

var noPermission = fault{
	name: "no permission", injected: "chmod 0555 of the run directory at a random step; root runs fcnx as nobody",
	attack: func(b *bench) outcome {
		program := filepath.Join(b.dir, "fcnx")
		if err := copyProgram(b.fcnx, program); err != nil {
			return b.broken(err)
		}
		b.fcnx = program
		return b.tries(b.count(6, 1), b.everyStep("go", 18), func(t *try) error {
			if os.Geteuid() == 0 {
				t.as = &syscall.Credential{Uid: nobody, Gid: nobody}
				if err := os.Chown(t.dir, nobody, nobody); err != nil {
					return err
				}
			}
			return t.unwritable("permission denied",
				func(*process) error { return os.Chmod(t.run(), 0o555) },
				func() error { return os.Chmod(t.run(), 0o755) })
		})
	},
}

// copyProgram copies a program to where everyone reaches it.
func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

var removed = fault{
	name: "directory removed", injected: "mv and rm -r of the run directory at a random step",
	attack: func(b *bench) outcome {
		// Saved seldom, so that an evaluation and its pictures may come first.
		return b.tries(b.count(8, 2), b.ofEachKind("go"), func(t *try) error {
			p, err := t.reach(atStep(2, 10))
			if err != nil {
				return err
			}
			asked, away := time.Now(), filepath.Join(t.dir, "away")
			if err := errors.Join(os.Rename(t.run(), away), os.RemoveAll(away)); err != nil {
				return err
			}
			if err := t.endsOf(p, asked, codeUnwritable); err != nil {
				return err
			}
			return t.finish() // a new one begins
		})
	},
}

// asUser gives a process the rights of the try's user.
func (t *try) asUser(cmd *exec.Cmd) {
	if t.as != nil {
		cmd.SysProcAttr.Credential = t.as
		cmd.Env = append(cmd.Env, "HOME="+t.dir)
	}
}
