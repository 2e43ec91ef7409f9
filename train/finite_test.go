package train

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"
)

// The sum is a number exactly if all that is summed up are: also where all of them are
// as large as float32 gets, and where Inf meets -Inf, in whichever of them.
func TestTinySum(t *testing.T) {
	t.Parallel()
	exec, err := graph.NewExec(onXLA(t), func(x *graph.Node) *graph.Node {
		g := x.Graph()
		return tinySum(graph.Ones(g, shapes.Make(x.DType(), 3, 2)), x, graph.Ones(g, shapes.Make(x.DType(), 5)))
	})
	require.NoError(t, err)
	defer exec.Finalize()
	rng := rand.New(rand.NewPCG(1, 2))
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, dims := range [][]int{{}, {1}, {37}, {5, 7}, {3, 3, 4, 8}, {1, 1, 64, 1}} {
		size := 1
		for _, d := range dims {
			size *= d
		}
		for _, put := range [][]float32{nil, {nan}, {inf}, {-inf}, {inf, -inf}, {math.SmallestNonzeroFloat32, 0}} {
			for _, fill := range []float32{0, 1, -math.MaxFloat32, math.MaxFloat32} {
				values := make([]float32, size)
				for i := range values {
					values[i] = fill
				}
				for _, v := range put {
					values[rng.IntN(size)] = v
				}
				want := true
				for _, v := range values {
					want = want && isFinite(float64(v))
				}
				in := tensors.FromFlatDataAndDimensions(values, dims...)
				out, err := exec.Call(in)
				require.NoError(t, err)
				require.Equal(t, want, isFinite(float64(tensors.ToScalar[float32](out[0]))), "%v %v in %v", put, fill, dims)
				finalize(out)
				finalize([]*tensors.Tensor{in})
			}
		}
	}
}

// with gives a variable one value throughout, where the others start as they do.
func with(path string, value float32) func(*EngineConfig) {
	return func(c *EngineConfig) {
		values := snapshot{}
		for _, v := range c.Net.Variables() {
			if v.Path() == path {
				one := binary.LittleEndian.AppendUint32(nil, math.Float32bits(value))
				values[path] = stored{Variable{path, "F32", v.Shape}, bytes.Repeat(one, v.Size())}
			}
		}
		c.Values = values
	}
}

// A step says at once that it broke a variable, though its loss is a number; and with
// train.debug_nan it says where that began, in the forward pass, the loss, the
// backward pass or the update.
func TestStepSpoils(t *testing.T) {
	t.Parallel()
	sum := func(c *EngineConfig) { c.Train.Loss = "sum" }
	weights := func(w float64) func(*EngineConfig) {
		return func(c *EngineConfig) { c.Train.ClassWeights = []float64{w, w, w, w, w, w} }
	}
	adam := func(c *EngineConfig) { c.Train.Optimizer = "adamw" }
	tests := map[string]struct {
		change []func(*EngineConfig)
		lr     float64
		loss   bool // it is a number
		spoilt bool
		where  string // a pattern
	}{
		"nothing": {nil, 0.01, true, false, "^$"},
		"the rate is more than float32 holds": {nil, 1e39, true, true,
			`^every gradient is finite, and it begins in the new value of (fc|score|upscore).*: of \d+ values \d+ are NaN and \d+ Inf`},
		"a weight breaks an early layer": {[]func(*EngineConfig){with("conv2_1/bias", math.MaxFloat32)}, 0.01, false, true,
			`^it begins in the output of conv3_1: of 2048 values \d+ are NaN and \d+ Inf(, and the largest other magnitude is .*)?; that of pool2 before it is at most 3.4e\+38$`},
		"a weight breaks the head": {[]func(*EngineConfig){with("fc6/weight", math.MaxFloat32)}, 0.01, false, true,
			`^it begins in the output of fc6: .*; that of pool5 before it is at most `},
		"the classes' weights break the loss": {[]func(*EngineConfig){weights(1e39)}, 0.01, false, true,
			`^every layer's output is finite, and it begins in the sum of the pixels' weights \(train.class_weights\), which is Inf$`},
		"the loss is a number and its gradients are not": {[]func(*EngineConfig){sum, with("fc7/bias", math.MaxFloat32/2)}, 0.01, true, true,
			`^the loss is finite, and it begins in the gradient of score_fr/weight: of 48 values \d+ are NaN and \d+ Inf`},
		"all but a slot of Adam's is finite": {[]func(*EngineConfig){sum, adam, weights(1e25)}, 0.01, true, true,
			`^every gradient is finite, and it begins in the new value of .*2nd_moment`},
	}
	b := shapesBatches(t, "32x32", 1)[0]
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, append([]func(*EngineConfig){headOnly, func(c *EngineConfig) { c.Train.DebugNaN = true }}, test.change...)...)
			require.NoError(t, e.CompileStep(b, nil))
			r, err := e.Step(b, 0, test.lr)
			require.NoError(t, err)
			require.Equal(t, test.loss, isFinite(r.Loss), "%v", r.Loss)
			require.Equal(t, test.spoilt, r.Spoilt)
			require.Regexp(t, test.where, r.Where)
		})
	}
}

// Steps with train.debug_nan are those without it, byte for byte, and what breaks a later
// one is seen from the state right before it.
func TestDebugNaNChangesNothing(t *testing.T) {
	t.Parallel()
	for _, optimizer := range []string{"sgd", "adamw"} {
		t.Run(optimizer, func(t *testing.T) {
			t.Parallel()
			run := func(debug bool) (*Engine, []float64, snapshot) {
				e := newEngine(t, func(c *EngineConfig) {
					c.Net.Arch, c.Net.Dropout = "fcn32s", 0.5
					c.Train.Freeze = []string{"conv[1-4]*", "bn[1-4]*"} // compiles faster
					c.Train.Optimizer, c.Train.Clip, c.Train.DebugNaN = optimizer, 1, debug
				})
				losses := steps(t, e, shapesBatches(t, "32x32", 4), 0, 0.01)
				return e, losses, take(t, e)
			}
			plain, losses, vars := run(false)
			debugged, debugLosses, debugVars := run(true)
			require.Equal(t, losses, debugLosses)
			require.Empty(t, vars.differ(debugVars))

			for e, where := range map[*Engine]string{plain: "^$", debugged: "^every gradient is finite, and it begins in the new value of "} {
				r, err := e.Step(shapesBatches(t, "32x32", 5)[4], 4, 1e39)
				require.NoError(t, err)
				require.True(t, r.Spoilt)
				require.Regexp(t, where, r.Where)
			}
		})
	}
}

// That nobody can say where NaN began keeps a run from nothing that it does about it.
func TestDebugNaNThatFails(t *testing.T) {
	t.Parallel()
	e := newEngine(t, headOnly, func(c *EngineConfig) { c.Train.DebugNaN = true })
	b := shapesBatches(t, "32x32", 1)[0]
	require.NoError(t, e.CompileStep(b, nil))
	e.debug.before[&model.Variable{}] = nil // one that takes no value
	r, err := e.Step(b, 0, 1e39)
	require.NoError(t, err)
	require.True(t, r.Spoilt)
	require.Contains(t, r.Where, "where it began could not be found: ")
}
