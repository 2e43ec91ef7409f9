package train

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/score"
)

// farsighted compiles evaluations beside everything else, for as long as it is told.
type farsighted struct {
	*world
	mu     sync.Mutex
	ledger []Compilation
	asked  []string // for what, whether ahead or not
	begun  chan string
	goOn   chan error // ends each compilation of an evaluation
}

func lookingAhead(steps int64) *farsighted {
	f := &farsighted{world: newWorld(steps), begun: make(chan string, 9), goOn: make(chan error, 9)}
	f.loop.Stepper = f
	f.loop.EvalShapes = []datasets.BatchShape{{N: 4, H: 8, W: 8, LabelH: 8, LabelW: 8}}
	return f
}

func (f *farsighted) CompileEval(b *datasets.Batch, before Before) error {
	f.mu.Lock()
	for _, c := range f.ledger {
		if c.What == "an evaluation" {
			f.mu.Unlock()
			return nil
		}
	}
	f.mu.Unlock()
	if err := before.call("an evaluation"); err != nil {
		return err
	}
	f.begun <- "an evaluation"
	err := <-f.goOn
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ledger = append(f.ledger, Compilation{What: "an evaluation", Took: time.Second})
		f.asked = append(f.asked, "an evaluation")
	}
	return err
}

func (f *farsighted) Compiled() []Compilation {
	done := f.world.Compiled()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) > 0 {
		f.asked = nil
		done = append(done, f.ledger...)
	}
	return done
}

// The evaluation's graph is compiled once there was a step; the evaluation waits for it only
// as long as it must, and what was learned is on its way to the disk then.
func TestLoopCompilesAhead(t *testing.T) {
	t.Run("done in time", func(t *testing.T) {
		f := lookingAhead(4)
		f.loop.EvalEvery = 4
		f.moment = func(deed string) {
			if deed == "step" && f.begun != nil && f.world.begun == 2 {
				<-f.begun // it began after the first step
				f.goOn <- nil
				for len(f.peek()) == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}
		_, err := f.loop.Run(t.Context(), Progress{})
		require.NoError(t, err)
		require.Equal(t, "compile training step 2x8x8, train, 1, 2, 3, 4, eval, scored 4*, save, kept 4", f.dialogue())
		require.Equal(t, []event.Compiled{
			{Step: 0, What: "training step 2x8x8", Seconds: 5}, {Step: 2, What: "an evaluation", Seconds: 1, Background: true},
		}, f.ledgerSaid())
	})
	t.Run("waited for", func(t *testing.T) {
		f := lookingAhead(2)
		f.moment = func(deed string) {
			if deed == "save" {
				f.goOn <- nil
			}
		}
		_, err := f.loop.Run(t.Context(), Progress{})
		require.NoError(t, err)
		require.Equal(t, "compile training step 2x8x8, train, 1, 2, save, kept 2, compile an evaluation, eval, scored 2*, save, kept 2", f.dialogue())
		require.True(t, f.ledgerSaid()[1].Background)
	})
	t.Run("fails", func(t *testing.T) { // then the evaluation says so, by its own attempt
		f := lookingAhead(2)
		broken := errors.New("out of memory")
		f.goOn <- broken
		f.goOn <- broken
		_, err := f.loop.Run(t.Context(), Progress{})
		require.ErrorIs(t, err, broken)
		require.Len(t, f.begun, 2)
		require.Equal(t, int64(2), f.kept.Step)
	})
}

// foreseeing notes what it is to get ready for, and fails at all of it.
type foreseeing struct {
	*world
	mu    sync.Mutex
	asked []string
}

func (f *foreseeing) note(kind string, b *datasets.Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprint(kind, b.Shape()))
	return errors.New("no room")
}

func (f *foreseeing) CompileStepAhead(b *datasets.Batch, _ Before) error { return f.note("step ", b) }

func (f *foreseeing) CompileEval(b *datasets.Batch, before Before) error {
	if before != nil && len(b.IDs) == 0 && b.Count == 0 { // a blank one: ahead
		return f.note("evaluation ", b)
	}
	return f.world.CompileEval(b, before)
}

// Steps come before evaluations, in the order in which they are wanted; where one cannot be
// compiled ahead the others still are, and the run goes on.
func TestLoopCompilesStepsAhead(t *testing.T) {
	f := &foreseeing{world: newWorld(3)}
	f.loop.Stepper = f
	f.loop.StepShapes = []datasets.BatchShape{{N: 2, H: 16, W: 8, LabelH: 16, LabelW: 8}, {N: 2, H: 8, W: 8, LabelH: 8, LabelW: 8}}
	f.loop.EvalShapes = []datasets.BatchShape{{N: 4, H: 8, W: 8, LabelH: 8, LabelW: 8}}
	p, err := f.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	require.Equal(t, int64(3), p.Step)
	require.Equal(t, []string{"step {2 16 8 16 8}", "step {2 8 8 8 8}", "evaluation {4 8 8 8 8}"}, f.asked)
}

func (f *farsighted) peek() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// A stopped run does not wait for what is compiled ahead, whether it trains or waits for it,
// and keeps what it has learned. One that fails does: its Stepper is to be closed.
func TestLoopStopsWhileItCompilesAhead(t *testing.T) {
	for name, test := range map[string]struct {
		steps int64
		deed  string
	}{"it trains": {9, "step"}, "it waits": {1, "save"}} {
		t.Run(name, func(t *testing.T) {
			f := lookingAhead(test.steps)
			defer close(f.goOn)
			ctx, cancel := context.WithCancelCause(t.Context())
			f.moment = func(deed string) {
				if deed == test.deed && f.world.begun >= min(int(test.steps), 2) {
					cancel(errAsked)
				}
			}
			p, err := f.loop.Run(ctx, Progress{})
			var stopped *InterruptedError
			require.ErrorAs(t, err, &stopped)
			require.Equal(t, min(test.steps, 2), p.Step)
			require.Equal(t, p.Step, f.kept.Step)
			require.Equal(t, "an evaluation", <-f.begun)
		})
	}
	t.Run("it fails", func(t *testing.T) {
		f := lookingAhead(9)
		f.fail = func(deed string) error {
			if deed == "step" && f.world.begun == 2 {
				time.AfterFunc(5*time.Millisecond, func() { f.goOn <- nil })
				return errNoMore
			}
			return nil
		}
		_, err := f.loop.Run(t.Context(), Progress{})
		require.ErrorIs(t, err, errNoMore)
		require.NotEmpty(t, f.ledger, "it was waited for")
	})
}

// An engine compiles its evaluation while it steps, under the race detector too; what it
// computes then is what it computes otherwise, to the last bit, and nothing is compiled twice.
func TestEngineCompilesEvalBesideSteps(t *testing.T) {
	batches := shapesBatches(t, "32x32", 6)
	run := func(beside bool) (snapshot, EvalResult, []int64) {
		e := newEngine(t, headOnly, scored)
		require.NoError(t, e.CompileStep(batches[0], nil))
		over := make(chan error, 1)
		blank := datasets.BatchShape{N: 4, H: 32, W: 32, LabelH: 32, LabelW: 32}.Blank()
		if beside {
			go func() { over <- e.CompileEval(blank, nil) }()
		}
		for at, b := range batches {
			_, err := e.Step(b, int64(at), 0.05)
			require.NoError(t, err)
		}
		if beside {
			for at := int64(6); len(over) == 0; at++ {
				_, err := e.Step(batches[0], at, 0) // changes nothing but momenta
				require.NoError(t, err)
			}
			require.NoError(t, <-over)
			require.NoError(t, e.CompileEval(batches[0], func(string) error { return errors.New("twice") }), "compiled ahead")
		}
		into := score.New(6)
		result, err := e.Eval(batches[1], into, true)
		require.NoError(t, err)
		after := snapshot{}
		for path, v := range take(t, e) {
			if _, ours := e.loader.vars[path]; ours {
				after[path] = v
			}
		}
		return after, result, into.Counts()
	}
	want, first, counts := run(false)
	got, again, countsAgain := run(true)
	require.Empty(t, want.differ(got))
	require.Equal(t, first, again)
	require.Equal(t, counts, countsAgain)
}
