package main

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// grace is what a preempted process is given to end as a rule; Kubernetes waits for 30
// seconds.
const grace = 30 * time.Second

// exitsIn is a run that is asked to terminate in one phase of its work: it must leave a
// good checkpoint and exit with 143 within the time of grace.
func exitsIn(phase, injected string, full int, r func(b *bench) func(i int) recipe, m func(b *bench) moment) fault {
	return fault{name: "time to exit 143: " + phase, injected: injected, attack: func(b *bench) outcome {
		if err := b.drawSlowData(); err != nil {
			return b.broken(err)
		}
		var took []time.Duration
		o := b.oneByOne(b.count(full, 1), r(b), func(t *try) error {
			// There is something to lose when it is asked.
			if err := t.stop(atStep(1, 2), syscall.SIGKILL, codeKilled); err != nil {
				return err
			}
			p, err := t.reach(m(b))
			if err != nil {
				return err
			}
			asked := time.Now()
			if err := p.signal(syscall.SIGTERM); err != nil {
				return err
			}
			if err := t.endsOf(p, asked, codeTerminated); err != nil {
				return err
			}
			waited := time.Since(asked)
			took = append(took, waited)
			if waited > grace {
				return fmt.Errorf("it took %v to exit", waited)
			}
			if err := t.newestIsWhole(); err != nil {
				return err
			}
			return t.finish()
		})
		if len(took) > 0 {
			o.seen = "it exits within " + seconds(slices.Max(took))
		}
		return o
	}}
}

var (
	exitsInCompilation = exitsIn("compilation", "SIGTERM 0.5 to 3 s after it has begun; a net that takes XLA many seconds", 3,
		func(b *bench) func(int) recipe { return b.large },
		func(b *bench) moment {
			return after(inPhase(event.PhaseCompile, 1), 500*time.Millisecond/b.shorter(5), 3*time.Second/b.shorter(10))
		})
	exitsInDataWait = exitsIn("data wait", "SIGTERM up to 1 s after a step; images of 16 megapixels", 3,
		func(b *bench) func(int) recipe { return b.slowData },
		func(b *bench) moment { return after(atStep(1, 1), 0, time.Second/b.shorter(10)) })
	exitsInEvaluation = exitsIn("evaluation", "SIGTERM up to 0.5 s after one has begun", 3,
		func(b *bench) func(int) recipe { return b.longEvaluation },
		func(b *bench) moment { return inPhase(event.PhaseEval, 500*time.Millisecond/b.shorter(10)) })
	exitsInSave = exitsIn("save", "SIGTERM when a step-N.tmp is there", 3,
		func(b *bench) func(int) recipe { return b.everyStep(b.xla(), 18) },
		func(b *bench) moment { return whileSaving })
	exitsInStep = exitsIn("step", "SIGTERM when a step is told of", 3,
		func(b *bench) func(int) recipe { return b.ofEachKind(b.xla()) },
		func(b *bench) moment { return atStep(1, 9) })
)

// shorter divides times in the short form.
func (b *bench) shorter(by time.Duration) time.Duration {
	if b.short {
		return by
	}
	return 1
}
