package main

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train/event"
)

// killedAgain is killed again and again, by the thousandth of a second at which it
// happens to be, and started by the same command each time, until it is done.
var killedAgain = fault{
	name: "kill -9 again and again", injected: "a run that saves at every step, killed at random moments, --resume in a loop",
	attack: func(b *bench) outcome {
		runs := b.count(4, 2)
		var kills, inSave atomic.Int64
		each := b.count(220, 8) / runs
		o := b.tries(runs, func(i int) recipe {
			r := b.everyStep(b.xla(), 8*each)(i)
			r.evalEvery = 4 * each
			if !b.short {
				r.env = quickCompiler
			}
			return r
		}, func(t *try) error {
			for range each {
				over, half, err := t.killOnce()
				if err != nil {
					return err
				}
				if over {
					break
				}
				kills.Add(1)
				if half {
					inSave.Add(1)
				}
			}
			return t.finish()
		})
		o.tries = int(kills.Load())
		o.seen = fmt.Sprintf("%d runs; %d kills left a checkpoint half written", runs, inSave.Load())
		return o
	},
}

// quickCompiler has XLA optimise less: what it computes is as fixed, and two hundred
// starts take less time.
var quickCompiler = []string{"XLA_FLAGS=--xla_backend_optimization_level=0"}

// killOnce starts the run, kills it, and holds what is on disk to what it said. over
// says that it came to its end before; half, that it was killed in the middle of a save.
func (t *try) killOnce() (over, half bool, err error) {
	p, err := t.live()
	if err != nil {
		return false, false, err
	}
	// One in eight is killed at any time from its start on, the others between two saves or
	// in one.
	if t.rng.IntN(8) == 0 {
		time.Sleep(t.between(0, 2*time.Second/t.shorter(10)))
	} else {
		began := false
		err := p.until(func(r event.Record) bool {
			switch r.(type) {
			case event.Step, event.Finished:
				began = true
				t.recovered = append(t.recovered, r.At().Sub(p.begin))
				return true
			}
			return false
		})
		if err != nil && !began && !p.over() {
			return false, false, err
		}
		time.Sleep(t.between(0, 100*time.Millisecond))
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return false, false, err
	}
	if err := p.ends(codeKilled, codeDone); err != nil {
		return false, false, err
	}
	if p.code == codeDone {
		return true, false, nil
	}
	found, err := filepath.Glob(filepath.Join(t.run(), "step-*.tmp"))
	if err != nil {
		return false, false, err
	}
	return false, len(found) > 0, t.newestIsWhole()
}

// newestIsWhole opens the newest checkpoint, which must be none before the last that was
// reported as saved.
func (t *try) newestIsWhole() error {
	records, err := readRecords(filepath.Join(t.run(), "events.jsonl"), true)
	if err != nil {
		return nil // it was killed before it said a word
	}
	var saved int64
	for _, r := range records {
		if s, ok := r.(event.Saved); ok {
			saved = max(saved, s.Step)
		}
	}
	if saved == 0 {
		return nil
	}
	_, err = newest(t.run(), saved)
	return err
}

// newest opens the newest checkpoint of a run, which must be whole and of step from or
// later, and returns its step.
func newest(dir string, from int64) (int64, error) {
	run, err := checkpoints.OpenRun(dir)
	if err != nil {
		return 0, err
	}
	var warned string
	c, err := run.Newest(func(w string) { warned = w })
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if warned != "" {
		return 0, fmt.Errorf("unreadable: %s", warned)
	}
	if c.Meta.Step < from {
		return 0, fmt.Errorf("step %d was reported as saved, and the newest checkpoint is of step %d", from, c.Meta.Step)
	}
	return c.Meta.Step, nil
}
