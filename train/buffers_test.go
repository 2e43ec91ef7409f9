package train

import (
	"io"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/gomlx/go-xla/pjrt"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/score"
)

// On the device there are the variables and nothing else, whatever was done, and after
// Close nothing: each buffer is given back at once, not when Go happens to collect. It
// runs alone: no other test may have buffers meanwhile.
func TestDeviceBuffersAreFreed(t *testing.T) {
	backend := onXLA(t)
	runtime.GC() // what other tests left to the collector
	runtime.GC()
	before := pjrt.BuffersAlive()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	e, err := NewEngine(backend, engineConfig(headOnly, func(c *EngineConfig) { c.Net.Dropout, c.Train.Clip, c.Train.Optimizer = 0.5, 1, "adamw" }))
	require.NoError(t, err)
	batches := shapesBatches(t, "32x32", 3)
	require.NoError(t, e.CompileStep(batches[0], nil))
	require.NoError(t, e.CompileEval(batches[0], nil))
	other := shapesBatches(t, "64x32", 3) // whose step is compiled ahead, on the second round
	into := score.New(6)
	variables := int64(0)
	for at, b := range batches {
		for _, work := range []struct {
			what string
			do   func() error
		}{
			{"step", func() error { _, err := e.Step(b, int64(at), 1e-3); return err }},
			{"step ahead", func() error {
				if at == 0 {
					return nil
				}
				if err := e.CompileStepAhead(other[at], nil); err != nil {
					return err
				}
				_, err := e.Step(other[at], int64(at), 1e-3)
				return err
			}},
			{"evaluation", func() error { _, err := e.Eval(b, into, false); return err }},
			{"eval with masks", func() error { _, err := e.Eval(b, into, true); return err }},
			{"masks", func() error { _, err := e.Masks(b); return err }},
			{"logits", func() error { _, err := e.Logits(b); return err }},
			{"save", func() error { return writeAll(e) }},
			{"list of variables", func() error { e.Variables(); return nil }},
		} {
			require.NoError(t, work.do(), work.what)
			if at == 0 {
				continue // variables come to the device when they are first asked for
			}
			require.Equal(t, variables, pjrt.BuffersAlive()-before, "after %s %d", work.what, at)
		}
		if at == 0 {
			variables = pjrt.BuffersAlive() - before
			require.Equal(t, int64(e.store.NumVariables()), variables)
		}
	}
	e.Close()
	require.Equal(t, before, pjrt.BuffersAlive())
}

// writeAll does what a save does.
func writeAll(e *Engine) error {
	for _, v := range e.Variables() {
		if err := e.WriteVariable(v.Path, io.Discard); err != nil {
			return err
		}
	}
	return nil
}
