package main

import "errors"

// askedToStop is stopped by another process, through a file in its directory.
var askedToStop = fault{
	name: "fcnx stop", injected: "fcnx stop at a random step",
	attack: func(b *bench) outcome {
		return b.tries(b.count(3, 1), b.longRun, func(t *try) error {
			p, err := t.live()
			if err != nil {
				return err
			}
			if err := atStep(1, 30)(t, p); err != nil {
				return err
			}
			asks, err := t.start("stop", "runs/run", "--timeout", "100s")
			if err != nil {
				return err
			}
			if err := errors.Join(asks.ends(codeDone), p.ends(codeTerminated)); err != nil {
				return err
			}
			return t.finish()
		})
	},
}

// longRun is a recipe that goes on for seconds, for what needs another process while it
// does.
func (b *bench) longRun(i int) recipe {
	return recipe{kind: kinds[i%2], backend: b.xla(), seed: b.seed, steps: b.count(600, 250), saveEvery: 10, evalEvery: 100, valN: 4}
}
