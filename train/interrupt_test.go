package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

var errAsked = errors.New("asked to stop")

// longRun has everything in it: two epochs and a bit, evaluations that fall
// between epochs, saves of their own, a second shape of batch.
func longRun() *world {
	w := newWorld(11)
	w.loop.EvalEvery, w.loop.SaveEvery, w.loop.Previews = 3.5, 2, w
	w.height = func(step int64) int { return 8 * int(1+step/4%2) }
	w.right = func(step int64) int { return []int{0, 0, 0, 0, 40, 0, 0, 60, 0, 0, 0, 50}[step] }
	return w
}

// resume is a new process: a fresh world that has the last checkpoint of w.
func resume(w *world) *world {
	next := longRun()
	next.kept, next.keptW = w.kept, w.keptW
	if w.kept != (Progress{}) {
		next.weights = w.keptW
	}
	return next
}

// stopAt runs w, and asks it to stop right before its n-th deed, counted from 0.
// The deeds that begin after that come back too.
func (w *world) stopAt(ctx context.Context, n int) (p Progress, after []string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	deeds := 0
	w.moment = func(deed string) {
		if deeds > n {
			after = append(after, deed)
		}
		if deeds == n {
			// Before the stop: of a compilation, Run does not wait for this to return.
			after = append(after, "stop in "+deed)
			cancel(errAsked)
		}
		deeds++
	}
	p, err = w.loop.Run(ctx, w.kept)
	return p, after, err
}

// results are the steps and evaluations among what was said, without the times.
func results(records []event.Record) []string {
	var lines []string
	for _, r := range records {
		switch r := r.(type) {
		case event.Step:
			lines = append(lines, fmt.Sprintln("step", r.Step, r.Epoch, r.Loss, r.LR, r.Images))
		case event.Eval:
			lines = append(lines, fmt.Sprintln("eval", r.Step, r.Epoch, r.Samples, r.MeanIoU, r.Loss, r.Best))
		}
	}
	return lines
}

// A run can be stopped at any moment, while it waits for data, compiles, steps,
// scores, saves or talks. What goes on from there does each step once and each
// evaluation once, with the numbers of a run that was never stopped.
func TestLoopStopsAnywhere(t *testing.T) {
	whole := longRun()
	moments := 0
	whole.moment = func(string) { moments++ }
	end, err := whole.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	want := results(whole.said)
	require.Len(t, want, 11+3, "evaluations are due at 4, 7 and 11")
	require.Equal(t, Progress{Step: 11, Cursor: 22, Evaluated: 11, BestIoU: end.BestIoU, BestStep: 7}, end)

	stoppedIn := map[string]bool{}
	for n := range moments {
		first := longRun()
		p, after, err := first.stopAt(t.Context(), n)
		stoppedIn[after[0]] = true
		long := slices.DeleteFunc(slices.Clone(after), func(deed string) bool {
			return !slices.Contains([]string{"compile", "step", "eval"}, strings.TrimPrefix(deed, "stop in "))
		})
		require.LessOrEqual(t, len(long), 1, "moment %d: %v: only what is at hand is finished", n, after)
		if err == nil {
			require.Equal(t, end, p, "moment %d: %v", n, after) // it was too late
			require.Equal(t, end, first.kept)
			continue
		}
		var stopped *InterruptedError
		require.ErrorAs(t, err, &stopped, "moment %d: %v", n, after)
		require.ErrorIs(t, err, errAsked)
		require.Equal(t, p, stopped.Progress)
		require.Equal(t, p, first.kept, "moment %d: %v: what was done is kept", n, after)
		require.Equal(t, p.Step > 0, stopped.Saved)
		if !stopped.Saved {
			require.NotContains(t, after, "save", "there is nothing to keep")
			require.EqualError(t, err, "stopped before the first step: asked to stop; nothing to keep")
		} else {
			require.EqualError(t, err, fmt.Sprintf("stopped after step %d: asked to stop; it is saved, and --resume goes on from there", p.Step))
		}
		require.Equal(t, int64(first.begun), p.Step, "moment %d: %v: a step that has begun is finished", n, after)

		second := resume(first)
		p, err = second.loop.Run(t.Context(), second.kept)
		require.NoError(t, err)
		require.Equal(t, end, p)
		require.Equal(t, whole.weights, second.weights)
		require.Equal(t, want, results(slices.Concat(first.said, second.said)), "moment %d: %v", n, after)
	}
	for _, deed := range []string{"data", "val data", "compile", "step", "eval", "save", "emit", "schedule", "scored", "now"} {
		require.Contains(t, stoppedIn, "stop in "+deed)
	}
}

// Being stopped again and again does not matter either.
func TestLoopStopsOften(t *testing.T) {
	whole := longRun()
	end, err := whole.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	for every := 30; every < 90; every++ {
		w := longRun()
		said, runs := []event.Record(nil), 0
		for {
			p, _, err := w.stopAt(t.Context(), every)
			said = append(said, w.said...)
			runs++
			if err == nil {
				require.Equal(t, end, p)
				break
			}
			require.ErrorIs(t, err, errAsked)
			require.Less(t, runs, 50, "no headway")
			w = resume(w)
		}
		require.Greater(t, runs, 1)
		require.Equal(t, results(whole.said), results(said), "every %d deeds", every)
	}
}

// A stop is no excuse: what went wrong meanwhile is what the run ends with.
func TestLoopStopsInTrouble(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, test := range []struct {
		deed string
		err  error
		want string
		kept int64
	}{
		{"step", broken, "disk on fire", 0},
		{"save", broken, "disk on fire", 0},
		{"step", lossIs(math.NaN()), "diverged at step 1: the loss is NaN; try a lower train.lr, a longer train.warmup or train.clip = 1.0; --debug-nan names the layer in which it begins", 0},
		{"eval", broken, "disk on fire", 4},
	} {
		w := longRun()
		w.loop.SaveEvery = 0
		ctx, cancel := context.WithCancelCause(t.Context())
		w.fail = func(deed string) error {
			if deed != test.deed {
				return nil
			}
			cancel(errAsked)
			return test.err
		}
		_, err := w.loop.Run(ctx, Progress{})
		require.EqualError(t, err, test.want, test.deed)
		require.NotErrorIs(t, err, errAsked)
		require.Equal(t, test.kept, w.kept.Step, test.deed)
	}
}

// A run that is asked before it begins does nothing at all.
func TestLoopStopsBeforeItBegins(t *testing.T) {
	for _, from := range []Progress{{}, {Step: 4, Cursor: 8}, {Step: 4, Cursor: 8, Evaluated: 4}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errAsked)
		w := longRun()
		w.kept = from
		p, err := w.loop.Run(ctx, from)
		var stopped *InterruptedError
		require.ErrorAs(t, err, &stopped)
		require.Equal(t, InterruptedError{Progress: from, Saved: from.Step > 0, Cause: errAsked}, *stopped)
		require.Equal(t, from, p)
		require.Empty(t, results(w.said))
	}
}
