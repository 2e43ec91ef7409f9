package main

import (
	"syscall"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// large is a net whose compilation takes XLA several seconds.
func (b *bench) large(int) recipe {
	return recipe{kind: "large", backend: "cpu", seed: b.seed, steps: 4, saveEvery: 1, valN: 2}
}

// duringCompilation is killed before the first step, and again before the first one
// after that.
var duringCompilation = fault{
	name: "killed during compilation", injected: "kill -9 up to 2 s after it has begun, twice",
	attack: func(b *bench) outcome {
		return b.tries(b.count(4, 1), b.everyStep("cpu", 18), func(t *try) error {
			if err := t.stop(inPhase(event.PhaseCompile, 2*time.Second), syscall.SIGKILL, codeKilled); err != nil {
				return err
			}
			if err := t.stop(atStep(1, 9), syscall.SIGKILL, codeKilled); err != nil {
				return err
			}
			if t.short {
				return t.finish()
			}
			if err := t.stop(inPhase(event.PhaseCompile, 2*time.Second), syscall.SIGKILL, codeKilled); err != nil {
				return err
			}
			return t.finish()
		})
	},
}
