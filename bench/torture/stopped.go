package main

import (
	"syscall"
	"time"
)

// stoppedAt is a run that a signal ends at random steps.
func stoppedAt(name, injected string, s syscall.Signal, code int) fault {
	return fault{name: name, injected: injected, attack: func(b *bench) outcome {
		return b.tries(b.count(6, 1), b.ofEachKind(b.xla()), func(t *try) error {
			if err := t.stop(atStep(1, 12), s, code); err != nil {
				return err
			}
			return t.finish()
		})
	}}
}

var (
	terminatedAtStep  = stoppedAt("SIGTERM at a step", "kill when a random step is told of", syscall.SIGTERM, codeTerminated)
	interruptedAtStep = stoppedAt("SIGINT at a step", "kill -2 when a random step is told of", syscall.SIGINT, codeInterrupt)
	killedAtStep      = stoppedAt("kill -9 at a step", "kill -9 when a random step is told of", syscall.SIGKILL, codeKilled)
)

// inEpoch stops between two samples of an epoch: 14 samples in batches of 4 make
// a border of epochs only after step 7 and 14.
var inEpoch = fault{
	name: "stopped in mid-epoch", injected: "SIGTERM, SIGINT or kill -9 at step 2 of 3.5 an epoch",
	attack: func(b *bench) outcome {
		return b.tries(b.count(3, 1), b.everyStep(b.xla(), 18), func(t *try) error {
			if err := t.stopAnyhow(atStep(2, 2)); err != nil {
				return err
			}
			return t.finish()
		})
	},
}

// stoppedTwice is stopped, gone on with, and stopped again before it has come far.
var stoppedTwice = fault{
	name: "stopped twice in a row", injected: "a random signal at a random step, and again after --resume",
	attack: func(b *bench) outcome {
		return b.tries(b.count(6, 1), b.ofEachKind(b.xla()), func(t *try) error {
			for _, m := range []moment{atStep(1, 5), atStep(6, 11)} {
				if err := t.stopAnyhow(m); err != nil {
					return err
				}
			}
			return t.finish()
		})
	},
}

// signalledTwice wants it to leave at once, whatever it does at that moment.
var signalledTwice = fault{
	name: "two signals: leave at once", injected: "SIGTERM or SIGINT twice within 0 to 5 ms at a random step",
	attack: func(b *bench) outcome {
		return b.tries(b.count(6, 1), b.everyStep(b.xla(), 18), func(t *try) error {
			p, err := t.reach(atStep(1, 10))
			if err != nil {
				return err
			}
			asked := time.Now()
			for range 2 {
				if err := p.signal(pick(t.rng, ways[:2]).signal); err != nil {
					return err
				}
				time.Sleep(t.between(0, 5*time.Millisecond))
			}
			if err := t.endsOf(p, asked, codeTerminated, codeInterrupt); err != nil {
				return err
			}
			return t.finish()
		})
	},
}

// frozen is stopped as a whole for a while, as a laptop that sleeps.
var frozen = fault{
	name: "frozen for a while", injected: "SIGSTOP at a random step, SIGCONT 0.2 to 1 s later; then SIGTERM while it is frozen",
	attack: func(b *bench) outcome {
		return b.tries(b.count(4, 1), b.ofEachKind(b.xla()), func(t *try) error {
			p, err := t.live()
			if err != nil {
				return err
			}
			var asked time.Time
			// Twice: then a signal is waiting for it when it is thawed.
			for _, signals := range [][]syscall.Signal{{syscall.SIGCONT}, {syscall.SIGTERM, syscall.SIGCONT}} {
				if err := t.at(atStep(1, 8), p); err != nil {
					return err
				}
				asked = time.Now()
				if err := p.signal(syscall.SIGSTOP); err != nil {
					return err
				}
				time.Sleep(t.between(200*time.Millisecond, time.Second))
				for _, s := range signals {
					if err := p.signal(s); err != nil {
						return err
					}
				}
			}
			if err := t.endsOf(p, asked, codeTerminated); err != nil {
				return err
			}
			return t.finish()
		})
	},
}
