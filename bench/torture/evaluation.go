package main

import (
	"time"
)

// longEvaluation is a recipe whose evaluations take a good part of its time.
func (b *bench) longEvaluation(i int) recipe {
	r := b.ofEachKind(b.xla())(i)
	r.steps, r.evalEvery, r.valN = 8, 3, 600
	if b.short {
		r.valN = 20
	}
	return r
}

// duringEvaluation is stopped in the middle of an evaluation, and owes it from then on.
var duringEvaluation = fault{
	name: "stopped during an evaluation", injected: "SIGTERM, SIGINT or kill -9 up to 0.3 s after one has begun",
	attack: func(b *bench) outcome {
		return b.tries(b.count(6, 1), b.longEvaluation, func(t *try) error {
			if err := t.stopAnyhow(inPhase("eval", 300*time.Millisecond)); err != nil {
				return err
			}
			return t.finish()
		})
	},
}
