package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fcnx/fcnx/checkpoints"
)

const (
	metaName      = "meta.json"
	variablesName = "variables.safetensors"
)

// victim is a run with three checkpoints, of which the newest is spoilt again and again.
type victim struct {
	dir    string
	names  []string // of the checkpoints, newest first
	newest string   // its directory
	was    map[string][]byte
}

// newVictim trains one.
func (t *try) newVictim() (*victim, error) {
	p, err := t.live()
	if err != nil {
		return nil, err
	}
	if err := p.ends(codeDone); err != nil {
		return nil, err
	}
	v := &victim{dir: t.run(), was: map[string][]byte{}}
	found, err := filepath.Glob(filepath.Join(v.dir, "step-*"))
	if err != nil {
		return nil, err
	}
	if len(found) < 3 {
		return nil, fmt.Errorf("%d checkpoints, where three are kept", len(found))
	}
	for i := range found {
		v.names = append(v.names, filepath.Base(found[len(found)-1-i]))
	}
	v.newest = filepath.Join(v.dir, v.names[0])
	for _, name := range []string{metaName, variablesName} {
		if v.was[name], err = os.ReadFile(filepath.Join(v.newest, name)); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// heal puts back what was there.
func (v *victim) heal() error {
	if err := os.RemoveAll(v.newest); err != nil {
		return err
	}
	if err := os.Mkdir(v.newest, 0o755); err != nil {
		return err
	}
	for name, text := range v.was {
		if err := os.WriteFile(filepath.Join(v.newest, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// notices opens the run, whose newest checkpoint is spoilt: it must name what is wrong and
// take the one before, and do so soon.
func (v *victim) notices() (time.Duration, error) {
	type opened struct {
		name     string
		warnings []string
		err      error
	}
	begin := time.Now()
	done := make(chan opened, 1)
	go func() {
		var o opened
		var c *checkpoints.Checkpoint
		c, o.err = (&checkpoints.Run{Dir: v.dir}).Newest(func(w string) { o.warnings = append(o.warnings, w) })
		if o.err == nil {
			o.name = c.Name
			o.err = c.Close()
		}
		done <- o
	}()
	select {
	case o := <-done:
		took := time.Since(begin)
		switch said := strings.Join(o.warnings, "; "); {
		case o.err != nil:
			return took, o.err
		case o.name == v.names[0]:
			return took, errors.New("it was loaded without a word")
		case o.name != v.names[1]:
			return took, fmt.Errorf("%s was taken, and %s is whole", o.name, v.names[1])
		case !strings.Contains(said, v.names[0]+" cannot be used ("):
			return took, fmt.Errorf("the warning names no damage: %q", said)
		}
		return took, nil
	case <-time.After(10 * time.Second):
		return 0, errors.New("it hangs")
	}
}

// spoils tries damages in this process, by the code that fcnx train runs before it goes
// on, which is what makes thousands of them possible.
func (b *bench) spoils(each func(v *victim, rng *rand.Rand, try func(what string, do func() error))) outcome {
	var o outcome
	made := b.inLanes(1, 1, b.everyStep("go", 5), func(t *try) error {
		v, err := t.newVictim()
		if err != nil {
			return err
		}
		var lost []string
		each(v, t.rng, func(what string, do func() error) {
			if b.ctx.Err() != nil {
				return
			}
			o.tries++
			var took time.Duration
			err := do()
			if err == nil {
				took, err = v.notices()
			}
			o.recovered = append(o.recovered, took)
			if err != nil {
				o.lost++
				if len(lost) < 10 {
					lost = append(lost, fmt.Sprintf("%s: %v", what, err))
				}
			}
			if err := v.heal(); err != nil {
				lost = append(lost, err.Error())
			}
		})
		if len(lost) > 0 {
			return errors.New(strings.Join(lost, "\n     "))
		}
		return nil
	})
	o.lost = max(o.lost, made.lost)
	return o
}

// write replaces a file of the newest checkpoint.
func (v *victim) write(name string, text []byte) func() error {
	return func() error { return os.WriteFile(filepath.Join(v.newest, name), text, 0o644) }
}

// headerEnd is where the header of the variables ends.
func (v *victim) headerEnd() int {
	return 8 + int(binary.LittleEndian.Uint64(v.was[variablesName]))
}

var cutMeta = fault{
	name: "meta.json cut off", injected: "at every byte",
	attack: func(b *bench) outcome {
		return b.spoils(func(v *victim, rng *rand.Rand, try func(string, func() error)) {
			text := v.was[metaName]
			for at := 0; at < len(text); at += b.stride(rng, 50) {
				try(fmt.Sprintf("%s of %d bytes", metaName, at), v.write(metaName, text[:at]))
			}
		})
	},
}

var cutHeader = fault{
	name: "header of variables.safetensors cut off", injected: "at every byte",
	attack: func(b *bench) outcome {
		return b.spoils(func(v *victim, rng *rand.Rand, try func(string, func() error)) {
			text := v.was[variablesName]
			for at := 0; at <= v.headerEnd(); at += b.stride(rng, 300) {
				try(fmt.Sprintf("%s of %d bytes", variablesName, at), v.write(variablesName, text[:at]))
			}
		})
	},
}

var cutBody = fault{
	name: "body of variables.safetensors cut off", injected: "at each hundredth, one byte short, and one byte long",
	attack: func(b *bench) outcome {
		return b.spoils(func(v *victim, rng *rand.Rand, try func(string, func() error)) {
			text := v.was[variablesName]
			body := len(text) - v.headerEnd()
			for i := 0; i < 100; i += b.stride(rng, 20) {
				at := v.headerEnd() + i*body/100
				try(fmt.Sprintf("%s of %d bytes", variablesName, at), v.write(variablesName, text[:at]))
			}
			try("a byte short", v.write(variablesName, text[:len(text)-1]))
			try("a byte more", v.write(variablesName, append(bytes.Clone(text), 0)))
		})
	},
}

var flipped = fault{
	name: "flipped bits", injected: "1, 2 or 3 bits anywhere in meta.json, the header or the body; or a block of 4096 zeros",
	attack: func(b *bench) outcome {
		return b.spoils(func(v *victim, rng *rand.Rand, try func(string, func() error)) {
			for i := range b.count(3000, 60) {
				name, lo, hi := metaName, 0, len(v.was[metaName])
				switch i % 3 {
				case 1:
					name, hi = variablesName, v.headerEnd()
				case 2:
					name, lo, hi = variablesName, v.headerEnd(), len(v.was[variablesName])
				}
				text := bytes.Clone(v.was[name])
				at := lo + rng.IntN(hi-lo)
				if i%30 == 2 {
					clear(text[at:min(at+4096, hi)])
				} else {
					for range 1 + rng.IntN(3) {
						text[at] ^= 1 << rng.IntN(8)
						at = lo + rng.IntN(hi-lo)
					}
				}
				if bytes.Equal(text, v.was[name]) {
					continue // the second bit was the first one, or zeros were there
				}
				try(fmt.Sprintf("a bit of %s at %d", name, at), v.write(name, text))
			}
		})
	},
}

var wrongFiles = fault{
	name: "files mixed up or of another kind", injected: "those of another checkpoint; missing, empty, a directory, a link to nothing, a named pipe",
	attack: func(b *bench) outcome {
		return b.spoils(func(v *victim, _ *rand.Rand, try func(string, func() error)) {
			for _, name := range []string{metaName, variablesName} {
				path := filepath.Join(v.newest, name)
				other := filepath.Join(v.dir, v.names[1], name)
				replaced := func(by func() error) func() error {
					return func() error { return errors.Join(os.Remove(path), by()) }
				}
				try(name+" of another checkpoint", func() error {
					text, err := os.ReadFile(other)
					return errors.Join(err, os.WriteFile(path, text, 0o644))
				})
				try(name+" is missing", replaced(func() error { return nil }))
				try(name+" is empty", v.write(name, nil))
				try(name+" is a directory", replaced(func() error { return os.Mkdir(path, 0o755) }))
				try(name+" is a link to nothing", replaced(func() error { return os.Symlink("nothing", path) }))
				try(name+" is a named pipe", replaced(func() error { return unix.Mkfifo(path, 0o644) }))
			}
			try("both files of another checkpoint", func() error {
				return errors.Join(os.RemoveAll(v.newest), copyTree(filepath.Join(v.dir, v.names[1]), v.newest))
			})
			try("a file where the checkpoint should be", func() error {
				return errors.Join(os.RemoveAll(v.newest), os.WriteFile(v.newest, nil, 0o644))
			})
			try("an empty directory", func() error {
				return errors.Join(os.RemoveAll(v.newest), os.Mkdir(v.newest, 0o755))
			})
		})
	},
}

var otherSchema = fault{
	name: "older and newer schema", injected: "schema 0, 2, 999 and an unknown key in meta.json, its hash made anew",
	attack: func(b *bench) outcome {
		return b.spoils(func(v *victim, _ *rand.Rand, try func(string, func() error)) {
			text := v.was[metaName]
			own := fmt.Appendf(nil, `"schema": %d,`, checkpoints.Schema)
			for _, other := range []string{
				fmt.Sprintf(`"schema": %d,`, checkpoints.Schema-1), fmt.Sprintf(`"schema": %d,`, checkpoints.Schema+1),
				`"schema": 999,`, `"schema": null,`, "", string(own) + ` "unheard_of": 1,`,
			} {
				try(fmt.Sprintf("%q instead of %q", other, own), func() error {
					if !bytes.Contains(text, own) {
						return errors.New("meta.json has no schema")
					}
					changed, err := rehash(bytes.Replace(text, own, []byte(other), 1))
					return errors.Join(err, v.write(metaName, changed)())
				})
			}
		})
	},
}

// stride is 1, or in the short form so that about few of all places are left.
func (b *bench) stride(rng *rand.Rand, every int) int {
	if !b.short {
		return 1
	}
	return 1 + rng.IntN(2*every)
}

// rehash gives a changed meta.json the hash that it would have been written with.
func rehash(text []byte) ([]byte, error) {
	key := []byte("  \"sha256\": \"")
	at := bytes.LastIndex(text, key)
	if at < 0 {
		return nil, errors.New("meta.json has no hash at its end")
	}
	return fmt.Appendf(text[:at:at], "%s%x\"\n}\n", key, sha256.Sum256(text[:at])), nil
}
