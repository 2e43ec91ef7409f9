package main

import (
	"fmt"
	"path/filepath"
	"time"
)

const repeatName = "repeat run"

// repeated is a run that is made once more.
var repeated = fault{
	name: repeatName, injected: "the same command in another directory",
	attack: func(b *bench) outcome {
		r := b.ofEachKind("cpu")
		if b.short {
			r = b.smallestOnXLA
		}
		return b.tries(b.count(3, 1), r, func(t *try) error { return t.finish() })
	},
}

// workers are runs with other numbers of goroutines that read samples, another one after a stop.
var workers = fault{
	name: "1, 2 and 5 workers", injected: "data.workers, another one after each stop",
	attack: func(b *bench) outcome {
		return b.tries(b.count(6, 3), b.ofEachKind(b.xla()), func(t *try) error {
			t.freely = true
			counts := []int{1, 2, 5}
			p, err := t.live("--set", fmt.Sprintf("data.workers=%d", counts[t.i%3]))
			if err != nil {
				return err
			}
			if err := t.at(atStep(4, 11), p); err != nil {
				return err
			}
			asked := time.Now()
			if err := p.signal(ways[0].signal); err != nil {
				return err
			}
			if err := t.endsOf(p, asked, codeTerminated); err != nil {
				return err
			}
			return t.finish("--set", fmt.Sprintf("data.workers=%d", counts[(t.i+1)%3]))
		})
	},
}

// finished is a run that is complete and gone on with all the same.
var finished = fault{
	name: "resumed when it is finished", injected: "--resume of a complete run, twice",
	attack: func(b *bench) outcome {
		return b.tries(b.count(3, 1), b.ofEachKind("go"), func(t *try) error {
			if err := t.finish(); err != nil {
				return err
			}
			sums := func() (map[string]string, error) {
				sums := map[string]string{}
				if err := hashFiles(t.dir, "runs/run", sums); err != nil {
					return nil, err
				}
				for _, changes := range []string{"events.jsonl", "log.txt", "lock"} {
					delete(sums, filepath.Join("runs", "run", changes))
				}
				return sums, nil
			}
			before, err := sums()
			if err != nil {
				return err
			}
			for range 2 {
				if err := t.finish(); err != nil {
					return err
				}
			}
			afterwards, err := sums()
			if err != nil {
				return err
			}
			for name, sum := range afterwards {
				if before[name] != sum {
					return fmt.Errorf("%s changed, and there was nothing to do", name)
				}
			}
			return nil
		})
	},
}
