package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// leaks is one process of many steps and checkpoints, of which nothing may grow once it
// is warm: file descriptors, threads, and resident memory, in which XLA's buffers are,
// too, on a CPU.
var leaks = fault{
	name: "leaks", injected: "one process of many steps and checkpoints; /proc is read twice a second",
	attack: func(b *bench) outcome {
		steps := b.count(10_000, 100)
		var seen string
		o := b.oneByOne(1, func(int) recipe {
			return recipe{kind: "sgd", backend: b.xla(), seed: b.seed, steps: steps, saveEvery: max(1, steps/b.count(500, 20)), evalEvery: steps / 5, valN: 4, batch: b.batch()}
		}, func(t *try) error {
			p, err := t.live()
			if err != nil {
				return err
			}
			if err := t.at(atStep(1, 1), p); err != nil {
				return err
			}
			var all []use
			for begin := time.Now(); !p.over(); time.Sleep(500 * time.Millisecond / b.shorter(100)) {
				if u, err := useOf(p.cmd.Process.Pid); err == nil {
					all = append(all, u)
				}
				if time.Since(begin) > 15*time.Minute {
					break
				}
			}
			if err := p.ends(codeDone); err != nil {
				return err
			}
			if err := t.verify(); err != nil {
				return err
			}
			// What ends it opens files of its own, and what begins it warms up.
			all = all[:len(all)*95/100]
			if len(all) < 9 {
				return fmt.Errorf("only %d looks at the process", len(all))
			}
			warm := most(all[len(all)/3 : len(all)*2/3])
			last := most(all[len(all)*2/3:])
			seen = fmt.Sprintf("%d steps, %d checkpoints, %d evaluations; from its middle third to its last: at most %d then %d descriptors, %d then %d threads, %.0f then %.0f MB resident (median)",
				steps, steps/t.saveEvery, 5, warm.files, last.files, warm.threads, last.threads, megabytes(warm.resident), megabytes(last.resident))
			threads, resident := 2, 1.03
			if b.short { // Go's scheduler and collector are still warming up
				threads, resident = 8, 1.5
			}
			switch {
			case last.files > warm.files+2:
				return fmt.Errorf("file descriptors grow: %s", seen)
			case last.threads > warm.threads+threads:
				return fmt.Errorf("threads grow: %s", seen)
			case float64(last.resident) > resident*float64(warm.resident)+4e6:
				return fmt.Errorf("memory grows: %s", seen)
			}
			return nil
		})
		o.seen = seen
		return o
	},
}

// use is what a process holds of its machine.
type use struct {
	files, threads int
	resident       int64 // bytes
}

func useOf(pid int) (use, error) {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	files, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return use{}, err
	}
	threads, err := os.ReadDir(filepath.Join(proc, "task"))
	if err != nil {
		return use{}, err
	}
	statm, err := os.ReadFile(filepath.Join(proc, "statm"))
	if err != nil {
		return use{}, err
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	return use{len(files), len(threads), pages * int64(os.Getpagesize())}, err
}

// most is the highest count of each, and the median of what is resident, which goes up and
// down with the garbage collector.
func most(all []use) use {
	var m use
	var resident []int64
	for _, u := range all {
		m.files, m.threads = max(m.files, u.files), max(m.threads, u.threads)
		resident = append(resident, u.resident)
	}
	m.resident = median(resident)
	return m
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }
