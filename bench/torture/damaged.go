package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fcnx/fcnx/checkpoints"
)

// damagedRun is a run whose newest checkpoint is spoilt between two processes: the real
// program must say so, go on from the one before, and come to the same end.
var damagedRun = fault{
	name: "resumed from a damaged checkpoint", injected: "the newest one, or the newest two, cut off, flipped, emptied or removed after a stop",
	attack: func(b *bench) outcome {
		return b.tries(b.count(12, 2), b.everyStep("go", 18), func(t *try) error {
			if err := t.stopAnyhow(atStep(5, 12)); err != nil {
				return err
			}
			t.damaged = true
			found, err := filepath.Glob(filepath.Join(t.run(), "step-????????????"))
			if err != nil {
				return err
			}
			spoilt := found[len(found)-1-t.i%2:]
			for _, dir := range spoilt {
				if err := t.spoil(dir); err != nil {
					return err
				}
			}
			// Whoever only reads the run is told, too.
			reads, err := t.start("inspect", "runs/run", "--which", "last")
			if err != nil {
				return err
			}
			p, err := reads, reads.ends(codeDone)
			for range 2 {
				if err != nil {
					return err
				}
				for _, dir := range spoilt {
					if want := "checkpoint " + filepath.Base(dir) + " cannot be used ("; !strings.Contains(p.said(), want) {
						return fmt.Errorf("%s: it does not say %q", p.cmd.Args[1], want)
					}
				}
				if p != reads {
					return t.verify()
				}
				if p, err = t.live(); err == nil {
					err = errors.Join(t.recovers(p), p.ends(codeDone))
				}
			}
			return nil
		})
	},
}

// spoil damages one file of a checkpoint in a random way.
func (t *try) spoil(dir string) error {
	path := filepath.Join(dir, pick(t.rng, []string{metaName, variablesName}))
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	switch t.rng.IntN(4) {
	case 0:
		return os.Remove(path)
	case 1:
		return os.Truncate(path, t.rng.Int64N(int64(len(text))))
	case 2:
		return os.Truncate(path, 0)
	}
	text[t.rng.IntN(len(text))] ^= 1 << t.rng.IntN(8)
	return os.WriteFile(path, text, 0o644)
}

// damagedEvents is a run whose events.jsonl is spoilt between two processes. Nothing
// that is computed depends on it.
var damagedEvents = fault{
	name: "events.jsonl torn or garbled", injected: "half a line, zeros or chance at the end or anywhere, emptied, removed, after a stop",
	attack: func(b *bench) outcome {
		return b.tries(b.count(14, 2), b.ofEachKind("go"), func(t *try) error {
			if err := t.stopAnyhow(atStep(2, 12)); err != nil {
				return err
			}
			t.garbled = true
			path := filepath.Join(t.run(), "events.jsonl")
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			chance := make([]byte, 1+t.rng.IntN(3000))
			for i := range chance {
				chance[i] = byte(t.rng.Uint32())
			}
			at := t.rng.IntN(len(text))
			switch t.i % 7 {
			case 0:
				text = append(text, `{"kind":"st`...)
			case 1:
				text = append(text, make([]byte, 5000)...)
			case 2:
				text = append(text, chance...)
			case 3:
				copy(text[at:], chance)
			case 4:
				clear(text[at:min(at+4096, len(text))])
			case 5:
				text = nil
			}
			err = os.WriteFile(path, text, 0o644)
			if t.i%7 == 6 {
				err = os.Remove(path)
			}
			if err != nil {
				return err
			}
			status, err := t.start("status", "runs/run", "--json")
			if err != nil {
				return err
			}
			if err := status.ends(codeDone, codeBadData); err != nil {
				return err
			}
			return t.finish()
		})
	},
}

// damagedConfig is a run whose config.toml is spoilt: whatever still is a configuration
// has another digest.
var damagedConfig = fault{
	name: "config.toml damaged", injected: "a flipped bit, cut off, emptied or removed after a stop; refused, or warned of by its digest",
	attack: func(b *bench) outcome {
		return b.tries(b.count(10, 2), b.ofEachKind("go"), func(t *try) error {
			if err := t.stop(atStep(2, 12), syscall.SIGTERM, codeTerminated); err != nil {
				return err
			}
			path := filepath.Join(t.run(), "config.toml")
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			whole := filepath.Join(t.dir, "whole")
			if err := copyTree(t.run(), whole); err != nil {
				return err
			}
			for i := range b.count(4, 2) {
				changed := []byte(nil)
				switch at := t.rng.IntN(len(text)); (t.i + i) % 4 {
				case 0, 1:
					changed = append(changed, text...)
					changed[at] ^= 1 << t.rng.IntN(8)
				case 2:
					changed = text[:at]
				}
				if err := os.WriteFile(path, changed, 0o644); err != nil {
					return err
				}
				p, err := t.start("train", "--resume=runs/run", "--ui", "none")
				if err != nil {
					return err
				}
				if err := p.ends(0, 1, 2, 3, 4, 5); err != nil {
					return err
				}
				if said := p.said(); p.code == codeDone && !strings.Contains(said, "config.toml is not what the checkpoint was saved with") ||
					!strings.Contains(said, "fcnx: ") {
					return fmt.Errorf("exit code %d, and it does not tell that config.toml was changed: %s", p.code, lastLine(said))
				}
				if err := errors.Join(os.RemoveAll(t.run()), copyTree(whole, t.run())); err != nil {
					return err
				}
			}
			return t.finish()
		})
	},
}

// wrongPointers is a run whose LAST and BEST name what they should not.
var wrongPointers = fault{
	name: "LAST and BEST wrong", injected: "another step, no step, chance, emptied or removed after a stop",
	attack: func(b *bench) outcome {
		return b.tries(b.count(5, 1), b.ofEachKind("go"), func(t *try) error {
			if err := t.stopAnyhow(atStep(8, 12)); err != nil {
				return err
			}
			for _, name := range []string{"LAST", "BEST"} {
				path := filepath.Join(t.run(), name)
				text := []string{"step-000000000003\n", "step-000000999999\n", "\x00\xff\x00", "", "../../etc"}[t.i%5]
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					return err
				}
			}
			if err := t.finish(); err != nil {
				return err
			}
			return t.pointersAreRight()
		})
	},
}

// pointersAreRight holds LAST and BEST to the checkpoints.
func (t *try) pointersAreRight() error {
	run, err := checkpoints.OpenRun(t.run())
	if err != nil {
		return err
	}
	c, err := run.Newest(func(string) {})
	if err != nil {
		return err
	}
	defer c.Close()
	want := map[string]string{"LAST": c.Name}
	if c.Meta.Best != nil {
		want["BEST"] = fmt.Sprintf("step-%012d", c.Meta.Best.Step)
	}
	for name, step := range want {
		text, err := os.ReadFile(filepath.Join(t.run(), name))
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(text)) != step {
			return fmt.Errorf("%s is %q, not %s", name, text, step)
		}
	}
	return nil
}
