package train

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"
)

// XLA's own account of a compiled step says that each variable that changes is
// written over itself: the memory of outputs that alias inputs is that of all of
// them. Of what a step does not write, nothing is.
func TestDonationSavesMemory(t *testing.T) {
	t.Parallel()
	b := shapesBatches(t, "32x32", 1)[0]
	for _, optimizer := range []string{"sgd", "adamw"} {
		t.Run(optimizer, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, headOnly, func(c *EngineConfig) { c.Train.Optimizer = optimizer })
			in, err := e.stepInputs(b, 0, 0)
			require.NoError(t, err)
			defer finalize(in)
			dims := make([]shapes.Shape, len(in))
			for i, tensor := range in {
				dims[i] = tensor.Shape()
			}
			step, err := e.step.Compile(dims...)
			require.NoError(t, err)

			var changed, frozen int64
			for v := range e.store.IterVariables() {
				if v.ChangedInGraph(step) {
					changed += v.Shape().ByteSize()
				} else {
					frozen += v.Shape().ByteSize()
				}
			}
			require.Positive(t, frozen)
			memory, err := memoryOf(step)
			require.NoError(t, err)
			require.Equal(t, changed, memory.Aliased)
			// All that comes out beside the variables is the loss and the checksum; XLA counts a pointer
			// for each output.
			require.Less(t, memory.Outputs-memory.Aliased, int64(16*(e.store.NumVariables()+1)))
		})
	}
}

// No weight is copied because the layer below still wants the old one: what the step
// keeps beside its variables is smaller than they are, in a net of few pixels and many weights.
func TestNoWeightIsCopied(t *testing.T) {
	t.Parallel()
	for _, clip := range []float64{0, 1} {
		e := newEngine(t, func(c *EngineConfig) { c.Net.Width, c.Net.Head, c.Train.Clip = 4, 256, clip })
		var weights int64
		for _, v := range e.net.Variables() {
			weights += shapes.Make(dtypes.Float32, v.Shape...).ByteSize()
		}
		memory, err := e.StepMemory(1, 32, 32)
		require.NoError(t, err)
		t.Logf("clip %v: %d bytes of weights, %d of temporaries", clip, weights, memory.Temporaries)
		require.Less(t, memory.Temporaries, weights)
	}
}

// Where nothing was donated XLA says so too: the measure can fail.
func TestNoDonationNoSavings(t *testing.T) {
	exec, err := graph.NewExec(onXLA(t), func(x *graph.Node) *graph.Node { return graph.AddScalar(x, 1) })
	require.NoError(t, err)
	defer exec.Finalize()
	g, err := exec.Compile(shapes.Make(dtypes.Float32, 1000))
	require.NoError(t, err)
	memory, err := memoryOf(g)
	require.NoError(t, err, "go-xla has another field now? donate looks into some too")
	require.Zero(t, memory.Aliased)
}
