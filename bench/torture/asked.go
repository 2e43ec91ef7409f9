package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

// askedToStop is stopped by another process, through a file in its directory.
var askedToStop = fault{
	name: "fcnx stop", injected: "fcnx stop at a random step",
	attack: func(b *bench) outcome {
		return b.tries(b.count(4, 1), b.longRun(b.xla()), func(t *try) error {
			if err := t.stopByAsking(); err != nil {
				return err
			}
			return t.finish()
		})
	},
}

// longRun is a recipe that goes on for seconds, for what needs another process while it
// does.
func (b *bench) longRun(backend string) func(i int) recipe {
	return func(i int) recipe {
		r := b.ofEachKind(backend)(i % 2)
		r.steps, r.saveEvery, r.evalEvery = 60, 10, 25
		if backend == "cpu" {
			r.steps = 600
		}
		return r
	}
}

// stopByAsking starts the run, or goes on with it, and has fcnx stop ask for its end. It
// is frozen until it has been asked: on a busy machine it might else be done before.
func (t *try) stopByAsking() error {
	p, err := t.reach(atStep(1, 10))
	if err != nil {
		return err
	}
	asked := time.Now()
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	asks, err := t.start("stop", "runs/run", "--timeout", "100s")
	if err != nil {
		return err
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		found, err := filepath.Glob(filepath.Join(t.run(), "control.jsonl"))
		if err == nil && time.Since(begin) > hangs {
			err = errors.New("it hangs: fcnx stop does not ask")
		}
		if err != nil {
			return err
		}
		if len(found) > 0 || asks.over() {
			break
		}
	}
	if err := p.signal(syscall.SIGCONT); err != nil {
		return err
	}
	err = t.endsOf(p, asked, codeTerminated)
	if stop := asks.ends(codeDone); stop != nil && err == nil {
		err = fmt.Errorf("fcnx stop: %w", stop)
	}
	return err
}
