package train

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is computed again on the way back changes nothing but rounding: losses, gradients'
// norms, weights, momentum and running averages, which move once. With batch norm and
// dropout, frozen stages, in micro-batches and on two devices.
func TestRecomputationChangesNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		devices int
		slack   float64 // how many times as much as float32 the precision rounds away
		change  func(*EngineConfig)
	}{
		"batch norm and dropout": {1, 1, func(c *EngineConfig) { c.Net.Arch, c.Net.Dropout = "fcn32s", 0.5 }},
		"skips":                  {1, 1, func(c *EngineConfig) { c.Net.Encoder = "vgg11" }},
		"half of the encoder, in parts, on 2 devices": {2, 1, func(c *EngineConfig) {
			c.Net.Arch, c.Train.Accumulate = "fcn32s", 2
			c.Train.Freeze = []string{"conv[1-3]*", "bn[1-3]*", "conv5_1"}
		}},
		"nothing of the encoder": {1, 1, headOnly},
		"bfloat16":               {1, 500, func(c *EngineConfig) { c.Net.Encoder, c.Train.Precision = "vgg11", BFloat16 }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			batches := unevenBatches(t, 3)
			run := func(recompute bool) (losses, norms []float64, end snapshot) {
				e := newMeshEngine(t, test.devices, test.change, scored, func(c *EngineConfig) { c.Train.Clip, c.Train.Recompute = 1, recompute })
				for at, b := range batches {
					require.NoError(t, e.CompileStep(b, nil))
					r, err := e.Step(b, int64(at), 0.02)
					require.NoError(t, err)
					require.False(t, r.Spoilt)
					losses, norms = append(losses, r.Loss), append(norms, r.GradNorm)
				}
				return losses, norms, take(t, e)
			}
			wantLosses, wantNorms, want := run(false)
			losses, norms, got := run(true)
			t.Logf("losses %v, keeping everything %v", losses, wantLosses)
			for i := range losses {
				require.InEpsilon(t, wantLosses[i], losses[i], 1e-5*test.slack, "loss of step %d", i+1)
				require.InEpsilon(t, wantNorms[i], norms[i], 1e-4*test.slack, "norm of step %d", i+1)
			}
			requireClose(t, want, got, 1e-4*test.slack)
		})
	}
}

// XLA does compute it again: what a step keeps while it runs is less than three quarters of
// what it is where everything is kept.
func TestRecomputationSavesMemory(t *testing.T) {
	t.Parallel()
	temporaries := func(recompute bool) int64 {
		e := newEngine(t, func(c *EngineConfig) {
			c.Net.Arch, c.Net.Encoder, c.Net.Width, c.Train.Recompute = "fcn32s", "vgg13", 32, recompute
		})
		memory, err := e.StepMemory(4, 256, 256)
		require.NoError(t, err)
		return memory.Temporaries
	}
	kept, recomputed := temporaries(false), temporaries(true)
	t.Logf("temporaries: %d bytes, recomputed %d", kept, recomputed)
	require.Less(t, 4*recomputed, 3*kept)
}
