package train

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/event"
)

// ledger are the records of compilations among what was said, without their times.
func (w *world) ledgerSaid() (records []event.Compiled) {
	for _, r := range w.said {
		if c, ok := r.(event.Compiled); ok {
			c.Head = event.Head{}
			records = append(records, c)
		}
	}
	return records
}

// Each compilation is told of once, when it is done: before the step or the evaluation that
// it was for, with what it took and needs.
func TestLoopTellsWhatItCompiled(t *testing.T) {
	w := newWorld(4)
	w.loop.EvalEvery = 3
	w.height = func(step int64) int { return 8 * int(1+step/4) }
	w.loop.Stepper = measured{w}
	_, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	memory := &event.CompiledMemory{Arguments: 5, Outputs: 4, Aliased: 3, Temporaries: 2, Code: 1}
	require.Equal(t, []event.Compiled{
		{Step: 0, What: "training step 2x8x8", Seconds: 5, Memory: memory},
		{Step: 3, What: "evaluation 4x8x8", Seconds: 5, Memory: memory},
		{Step: 3, What: "training step 2x16x8", Seconds: 5, Memory: memory},
	}, w.ledgerSaid())
	for i, r := range w.said {
		if _, ok := r.(event.Compiled); ok {
			require.Equal(t, event.PhaseCompile, w.said[i-1].(event.Phase).Name)
		}
	}
}

// measured tells what its graphs need.
type measured struct{ *world }

func (m measured) Compiled() []Compilation {
	done := m.world.Compiled()
	for i := range done {
		done[i].Memory = &Memory{Arguments: 5, Outputs: 4, Aliased: 3, Temporaries: 2, Code: 1}
	}
	return done
}

// What fails to be compiled is not told of, and of a compilation that goes on nothing is asked.
func TestLoopTellsNoCompilationThatFailed(t *testing.T) {
	w := newWorld(4)
	w.fail = func(deed string) error { return map[string]error{"compile": errAsked}[deed] }
	_, err := w.loop.Run(t.Context(), Progress{})
	require.ErrorIs(t, err, errAsked)
	require.Empty(t, w.ledgerSaid())

	ctx, cancel := context.WithCancel(t.Context())
	c := &silent{t: t, world: newWorld(4), end: make(chan struct{}), cancel: cancel}
	defer close(c.end)
	c.loop.Stepper = c
	_, err = c.loop.Run(ctx, Progress{})
	require.ErrorIs(t, err, context.Canceled)
}

// silent is stopped while it compiles, and not to be asked anything then.
type silent struct {
	*world
	t      *testing.T
	end    chan struct{}
	cancel func()
}

func (s *silent) CompileStep(_ *datasets.Batch, before Before) error {
	if err := before("an endless step"); err != nil {
		return err
	}
	s.cancel()
	<-s.end
	return nil
}

func (s *silent) Compiled() []Compilation {
	s.t.Error("asked while it compiles")
	return nil
}

// An engine's ledger has each shape once, with XLA's account of the very executable that
// computes.
func TestEngineLedger(t *testing.T) {
	t.Parallel()
	e := newEngine(t, headOnly)
	require.Empty(t, e.Compiled())
	b := shapesBatches(t, "32x32", 1)[0]
	begin := time.Now()
	require.NoError(t, e.CompileStep(b, nil))
	require.NoError(t, e.CompileEval(b, nil))
	took := time.Since(begin)
	require.NoError(t, e.CompileStep(b, nil))
	ledger := e.Compiled()
	require.Len(t, ledger, 2)
	require.Empty(t, e.Compiled(), "each is told of once")
	require.Equal(t, "training step 4x32x32", ledger[0].What)
	require.Equal(t, "evaluation 4x32x32", ledger[1].What)
	for _, c := range ledger {
		require.Positive(t, c.Took)
	}
	require.LessOrEqual(t, ledger[0].Took+ledger[1].Took, took)
	step, err := e.CompiledStepMemory(b)
	require.NoError(t, err)
	require.Equal(t, &step, ledger[0].Memory)
	require.Greater(t, step.Arguments, ledger[1].Memory.Arguments, "the optimiser's slots")
}
