package main

import (
	"syscall"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// large is a net whose compilation takes XLA several seconds.
func (b *bench) large(int) recipe {
	if b.short {
		return b.smallestOnXLA(0)
	}
	return recipe{kind: "large", backend: "cpu", seed: b.seed, steps: 4, saveEvery: 1, valN: 2, batch: 4}
}

// smallestOnXLA is what the short form trains on XLA: the net that compiles soonest.
func (b *bench) smallestOnXLA(int) recipe {
	r := b.ofEachKind("cpu")(1)
	r.env = quickCompiler
	return r
}

// duringCompilation is killed before the first step, and again before the first one
// after that.
var duringCompilation = fault{
	name: "killed during compilation", injected: "kill -9 up to 2 s after it has begun, twice",
	attack: func(b *bench) outcome {
		r := b.ofEachKind("cpu")
		if b.short {
			r = b.smallestOnXLA
		}
		return b.tries(b.count(4, 1), r, func(t *try) error {
			compiling := inPhase(event.PhaseCompile, 2*time.Second/b.shorter(4))
			if err := t.stop(compiling, syscall.SIGKILL, codeKilled); err != nil {
				return err
			}
			if t.short {
				return t.finish()
			}
			if err := t.stop(atStep(1, 9), syscall.SIGKILL, codeKilled); err != nil {
				return err
			}
			if err := t.stop(compiling, syscall.SIGKILL, codeKilled); err != nil {
				return err
			}
			return t.finish()
		})
	},
}
