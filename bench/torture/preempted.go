package main

import (
	"fmt"
	"sync/atomic"
	"time"
)

// preempted is asked to terminate over and over, at any time from its start on, and
// started by the same command each time.
var preempted = fault{
	name: "preempted again and again", injected: "SIGTERM, SIGINT or kill -9 at any time from the start on, --resume in a loop",
	attack: func(b *bench) outcome {
		var times atomic.Int64
		o := b.tries(b.count(3, 1), func(i int) recipe {
			r := b.ofEachKind(b.xla())(i)
			r.env = quickCompiler
			if b.short {
				r.env = nil
			}
			r.steps = b.count(90, 30)
			return r
		}, func(t *try) error {
			within := 4 * time.Second / t.shorter(8)
			for range t.count(10, 5) {
				way := pick(t.rng, ways)
				if err := t.stop(anyTime(within), way.signal, way.code, codeDone); err != nil {
					return err
				}
				times.Add(1)
			}
			return t.finish()
		})
		o.seen = fmt.Sprintf("%d signals in these runs", times.Load())
		return o
	},
}
