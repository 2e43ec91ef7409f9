package train

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/score"
)

func inBFloat16(c *EngineConfig) { c.Train.Precision = BFloat16 }

// A run in bfloat16 learns as one in float32 does. All that it keeps is float32, and what
// it has learned is scored in float32 unless somebody asks for the other.
func TestTrainingInBFloat16(t *testing.T) {
	t.Parallel()
	train := func(change ...func(*EngineConfig)) (*Engine, []float64) {
		e := newEngine(t, append([]func(*EngineConfig){headOnly, func(c *EngineConfig) {
			c.Net.Dropout, c.Train.Freeze = 0.5, nil
		}}, change...)...)
		batches := shapesBatches(t, "32x32", 6)
		var losses []float64
		for range 5 {
			losses = append(losses, steps(t, e, batches, int64(len(losses)), 0.02)...)
		}
		return e, losses
	}
	_, want := train()
	e, got := train(inBFloat16)
	require.NotEqual(t, want, got)
	require.Less(t, got[len(got)-1], 0.8*got[0])
	for i := range want {
		require.InDelta(t, want[i], got[i], 0.1*want[0], "step %d", i+1)
	}

	kept := take(t, e)
	for path, v := range kept {
		require.Equal(t, "F32", v.DType, path)
	}
	b := shapesBatches(t, "32x32", 1)[0]
	loss := func(change ...func(*EngineConfig)) float64 {
		e := newEngine(t, append([]func(*EngineConfig){headOnly, func(c *EngineConfig) { c.Values = kept }}, change...)...)
		r, err := e.Eval(b, score.New(6), false)
		require.NoError(t, err)
		return r.Loss
	}
	in32 := loss()
	require.Equal(t, in32, loss(inBFloat16))
	in16 := loss(func(c *EngineConfig) { c.Precision = BFloat16 })
	require.NotEqual(t, in32, in16)
	require.InEpsilon(t, in32, in16, 0.02)
}
