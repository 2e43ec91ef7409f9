package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// moment waits in a process for the time to attack.
type moment func(t *try, p *process) error

// atStep is when at least one of the steps in [lo, hi] is done, by chance which, and a
// little later.
func atStep(lo, hi int) moment {
	return func(t *try, p *process) error {
		n := int64(lo + t.rng.IntN(hi-lo+1))
		err := p.until(func(r event.Record) bool {
			step, ok := r.(event.Step)
			return ok && step.Step >= n
		})
		time.Sleep(t.between(0, 5*time.Millisecond))
		return err
	}
}

// inPhase is a random time, less than within, after a phase has begun that a record of
// that name tells of.
func inPhase(name string, within time.Duration) moment {
	return func(t *try, p *process) error {
		err := p.until(func(r event.Record) bool {
			phase, ok := r.(event.Phase)
			return ok && phase.Name == name
		})
		time.Sleep(t.between(0, within))
		return err
	}
}

// whileSaving is when a checkpoint is half written: there is a directory that is not
// finished. One that a killed process has left is gone when the next one has started.
func whileSaving(t *try, p *process) error {
	err := p.until(func(r event.Record) bool {
		_, started := r.(event.Started)
		return started
	})
	if err != nil {
		return err
	}
	for begin := time.Now(); time.Since(begin) < hangs; time.Sleep(100 * time.Microsecond) {
		if half, _ := filepath.Glob(filepath.Join(t.run(), "step-*.tmp")); len(half) > 0 {
			return nil
		}
		if p.over() {
			return errOver
		}
	}
	return fmt.Errorf("it hangs: no checkpoint is begun for %v", hangs)
}

// after waits for a moment, and then a random time.
func after(m moment, lo, hi time.Duration) moment {
	return func(t *try, p *process) error {
		err := m(t, p)
		time.Sleep(t.between(lo, hi))
		return err
	}
}

// anyTime is a random time after the start, whatever the process does.
func anyTime(within time.Duration) moment {
	return func(t *try, _ *process) error {
		time.Sleep(t.between(0, within))
		return nil
	}
}

// stop starts the run, or goes on with it, sends a signal when the moment has come, and
// waits for the end, which must come with one of these codes.
func (t *try) stop(m moment, s syscall.Signal, codes ...int) error {
	p, err := t.reach(m)
	if err != nil {
		return err
	}
	asked := time.Now()
	if err := p.signal(s); err != nil {
		return err
	}
	return t.endsOf(p, asked, codes...)
}

// errTooLate is what comes of an attack when the run was done before it.
var errTooLate = errors.New("the run was done before it could be attacked")

// reach starts the run, or goes on with it, and waits for a moment in it.
func (t *try) reach(m moment) (*process, error) {
	p, err := t.live()
	if err != nil {
		return nil, err
	}
	return p, t.at(m, p)
}

// at waits for a moment. It is an errTooLate where the run has come to its end instead.
func (t *try) at(m moment, p *process) error {
	err := m(t, p)
	switch {
	case !errors.Is(err, errOver):
		return err
	case p.code == codeDone:
		return errTooLate
	}
	return fmt.Errorf("%w: exit code %d: %s", err, p.code, lastLine(p.said()))
}

// endsOf waits for the end of a run that was attacked at that time. It is an errTooLate
// where all was done well by then but for the last step, which is not interrupted.
func (t *try) endsOf(p *process, attacked time.Time, codes ...int) error {
	err := p.ends(codes...)
	if err == nil || p.code != codeDone {
		return err
	}
	records, unread := readRecords(filepath.Join(t.run(), "events.jsonl"), true)
	if unread != nil {
		return errors.Join(err, unread)
	}
	for _, r := range records {
		if step, ok := r.(event.Step); ok && step.Step >= int64(t.steps-1) && step.At().Before(attacked) {
			return errTooLate
		}
	}
	return err
}

// stopAnyhow stops it by a random signal.
func (t *try) stopAnyhow(m moment) error {
	way := ways[t.rng.IntN(len(ways))]
	return t.stop(m, way.signal, way.code)
}

// ways to end a process, and its exit code then.
var ways = []struct {
	signal syscall.Signal
	code   int
}{{syscall.SIGTERM, codeTerminated}, {syscall.SIGINT, codeInterrupt}, {syscall.SIGKILL, codeKilled}}

// copyTree copies a directory with all that is below it.
func copyTree(from, to string) error { return os.CopyFS(to, os.DirFS(from)) }

// pick is a random one.
func pick[T any](rng *rand.Rand, of []T) T { return of[rng.IntN(len(of))] }
