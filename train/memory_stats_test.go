package train

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"
)

// What is told of a step that was only compiled is what XLA says of the one that
// trains, weights and all, and nothing of the network was made for it.
func TestMemoryIsThatOfTheRealGraphs(t *testing.T) {
	t.Parallel()
	b := shapesBatches(t, "32x32", 1)[0]
	for _, optimizer := range []string{"sgd", "adamw"} {
		t.Run(optimizer, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, headOnly, func(c *EngineConfig) { c.Train.Optimizer, c.Train.Clip = optimizer, 1 })
			step, err := e.StepMemory(b.N, b.H, b.W)
			require.NoError(t, err)
			eval, err := e.EvalMemory(b.N, b.H, b.W)
			require.NoError(t, err)
			require.Zero(t, e.store.NumVariables())

			in, err := e.stepInputs(b, 0, 0)
			require.NoError(t, err)
			require.Equal(t, accounted(t, e.step, in), step)
			in, err = e.evalInputs(b)
			require.NoError(t, err)
			require.Equal(t, accounted(t, e.eval, in), eval)

			compiled, err := e.CompiledStepMemory(b)
			require.NoError(t, err)
			require.Equal(t, step, compiled)

			weights := 4 * e.net.Parameters()
			require.Greater(t, eval.Arguments, weights)
			require.Greater(t, step.Arguments, eval.Arguments, "the optimiser's slots")
			require.Positive(t, step.Temporaries)
			require.Zero(t, eval.Aliased)
		})
	}
}

func accounted(t *testing.T, exec *model.Exec, in []*tensors.Tensor) Memory {
	t.Helper()
	defer finalize(in)
	dims := make([]shapes.Shape, len(in))
	for i, tensor := range in {
		dims[i] = tensor.Shape()
	}
	g, err := exec.Compile(dims...)
	require.NoError(t, err)
	memory, err := memoryOf(g)
	require.NoError(t, err)
	return memory
}

// A larger batch needs more for what it keeps, and as much for the weights.
func TestMemoryGrowsWithTheBatch(t *testing.T) {
	t.Parallel()
	e := newEngine(t, headOnly)
	one, err := e.EvalMemory(1, 64, 64)
	require.NoError(t, err)
	four, err := e.EvalMemory(4, 64, 64)
	require.NoError(t, err)
	require.Greater(t, four.Temporaries, one.Temporaries)
	require.Equal(t, int64(3*(64*64*4+16)), four.Arguments-one.Arguments, "images, labels and two sizes")
	require.Equal(t, one.Arguments+one.Outputs-one.Aliased+one.Temporaries+one.Code, one.Needed())
}

func TestMemoryRefuses(t *testing.T) {
	t.Parallel()
	backend, err := gobackend.New("")
	require.NoError(t, err)
	defer backend.Finalize()
	e, err := NewEngine(backend, engineConfig())
	require.NoError(t, err)
	defer e.Close()
	_, err = e.StepMemory(1, 32, 32)
	require.ErrorIs(t, err, ErrNoMemoryStats)
	g := graph.NewGraph(backend, "go")
	defer g.Finalize()
	g.Compile(graph.Scalar(g, dtypes.Float32, 1))
	_, err = memoryOf(g)
	require.ErrorIs(t, err, ErrNoMemoryStats)

	// What cannot be built is an error and no panic.
	_, err = newEngine(t, headOnly).StepMemory(1, 0, 32)
	require.ErrorContains(t, err, "compiling the training step 1x0x32")
}
