package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// bench is what faults are tried on: the program, a place for its runs, and chance.
type bench struct {
	ctx   context.Context
	fcnx  string // the program's absolute path
	dir   string // below which everything is made
	seed  uint64
	short bool
	scale float64 // of the numbers of tries
	fault string  // the one at hand
	out   *lines

	undisturbed *ends // of the runs that others are held to
}

// lines is a writer that several tries may use at a time.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, format+"\n", args...)
}

// try attacks with one fault.
func (b *bench) try(ctx context.Context, f fault) row {
	own := *b
	own.ctx, own.fault = ctx, f.name
	begin := time.Now()
	o := f.attack(&own)
	return row{f, o, time.Since(begin)}
}

// count is how many tries there are: full of them in 25 minutes of attacks on two
// cores, or in the short form few.
func (b *bench) count(full, few int) int {
	if b.short {
		return few
	}
	return max(1, int(math.Round(float64(full)*b.scale)))
}

// xla is the backend that trains, or in the short form Go's own, which needs not wait
// for a compiler.
func (b *bench) xla() string {
	if b.short {
		return "go"
	}
	return "cpu"
}

// chance is a stream of its own for each name, so that one try can be had again
// without those before it.
func (b *bench) chance(name string, i int) *rand.Rand {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, int64(i))
	io.WriteString(h, name)
	return rand.New(rand.NewPCG(b.seed, h.Sum64()))
}

// try is one attempt at a run, with a directory of its own.
type try struct {
	*bench
	recipe
	i   int // counts from 0
	dir string
	rng *rand.Rand

	started   []*process          // so far
	as        *syscall.Credential // whose rights they have; nil: this process's
	recovered []time.Duration

	// What the attack has done, for whoever looks at the end.
	damaged bool // checkpoints: to go on from an older one is right
	garbled bool // events.jsonl: it may have lines that are no records
	cleans  bool // nothing half written may be left by a process that failed
	blind   bool // previews: one that could not be written is warned of and left out
	freely  bool // keys that may change: meta.json has another digest of config.toml
}

// tries attacks n runs of the recipe, as many at a time as there are cores. A try whose
// attack returns an error has lost something.
func (b *bench) tries(n int, r func(i int) recipe, attack func(t *try) error) outcome {
	return b.inLanes(runtime.NumCPU(), n, r, attack)
}

// oneByOne is tries without others beside it, for what is measured.
func (b *bench) oneByOne(n int, r func(i int) recipe, attack func(t *try) error) outcome {
	return b.inLanes(1, n, r, attack)
}

func (b *bench) inLanes(lanes, n int, r func(i int) recipe, attack func(t *try) error) outcome {
	var mu sync.Mutex
	o := outcome{}
	next := make(chan int)
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			for i := range next {
				t, err := b.attempt(i, r(i), attack)
				mu.Lock()
				o.tries++
				o.recovered = append(o.recovered, t.recovered...)
				if err != nil && b.ctx.Err() == nil {
					o.lost++
					b.out.printf("LOST %s, try %d of seed %d: %v\n     kept: %s", b.fault, i, b.seed, err, t.dir)
				} else {
					os.RemoveAll(t.dir)
				}
				mu.Unlock()
			}
		})
	}
	for i := range n {
		if b.ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return o
}

// attempts is how often a try is made whose run is done before it can be attacked.
const attempts = 5

// attempt makes a try, again with other chances where the attack came too late: a busy
// machine says nothing about what is attacked.
func (b *bench) attempt(i int, r recipe, attack func(t *try) error) (t *try, err error) {
	for again := range attempts {
		if t, err = b.newTry(i, again, r); err != nil {
			return t, err
		}
		err = attack(t)
		t.endAll()
		if !errors.Is(err, errTooLate) {
			break
		}
	}
	return t, err
}

// newTry makes the directory of a try, made again so many times. On an error the try is
// good for nothing but its name.
func (b *bench) newTry(i, again int, r recipe) (*try, error) {
	t := &try{bench: b, recipe: r, i: i, rng: b.chance(b.fault, i+again<<32)}
	t.dir = filepath.Join(b.dir, fmt.Sprintf("%s-%d", strings.NewReplacer(" ", "-", "/", "-").Replace(b.fault), i))
	if err := os.RemoveAll(t.dir); err != nil {
		return t, err
	}
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return t, err
	}
	return t, os.WriteFile(filepath.Join(t.dir, "run.toml"), []byte(r.text()), 0o644)
}

// run is the run's directory.
func (t *try) run() string { return filepath.Join(t.dir, "runs", "run") }

// between is a random time in [lo, hi).
func (t *try) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(t.rng.Int64N(int64(hi-lo)))
}

// broken is the outcome of an attack that could not be made.
func (b *bench) broken(err error) outcome {
	b.out.printf("LOST %s: the attack itself fails: %v", b.fault, err)
	return outcome{tries: 1, lost: 1}
}
