package main

import (
	"time"
)

// duringSave is stopped when a checkpoint is half written.
var duringSave = fault{
	name: "stopped during a save", injected: "SIGTERM, SIGINT or kill -9 up to 3 ms after a step-N.tmp is there",
	attack: func(b *bench) outcome {
		return b.tries(b.count(9, 2), b.everyStep(b.xla(), 18), func(t *try) error {
			if err := t.stopAnyhow(after(whileSaving, 0, 3*time.Millisecond)); err != nil {
				return err
			}
			return t.finish()
		})
	},
}
