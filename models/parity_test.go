package models_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/device/devicetest"
	"github.com/fcnx/fcnx/models"
)

// golden is one file of testdata/parity (docs/parity.md): a tiny net, a batch and
// what PyTorch says about them.
type golden struct {
	file *checkpoints.File
	net  models.Config
}

// tolerances are those of docs/parity.md, which the scripts of bench/parity read too.
func tolerances(t *testing.T) (tolerance struct{ Logits, Masks, Loss, Gradients, Running float64 }) {
	t.Helper()
	text, err := os.ReadFile("testdata/parity/tolerances.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &tolerance))
	for _, x := range []*float64{&tolerance.Logits, &tolerance.Loss, &tolerance.Gradients, &tolerance.Running} {
		*x = devicetest.Tolerance(*x)
	}
	return tolerance
}

func openGoldens(t *testing.T) map[string]golden {
	t.Helper()
	paths, err := filepath.Glob("testdata/parity/*.safetensors")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	goldens := map[string]golden{}
	for _, path := range paths {
		file, err := checkpoints.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { file.Close() })
		var c struct {
			Arch, Encoder, Upsample, Geometry string
			Classes, Width, Head              int
			AtOnce                            bool `json:"at_once"`
		}
		require.NoError(t, json.Unmarshal([]byte(file.Metadata()["case"]), &c))
		goldens[strings.TrimSuffix(filepath.Base(path), ".safetensors")] = golden{file, models.Config{
			Arch: c.Arch, Encoder: c.Encoder, Classes: c.Classes, Width: c.Width, Head: c.Head,
			Upsample: c.Upsample, Geometry: c.Geometry, AtOnce: c.AtOnce,
		}}
	}
	return goldens
}

// tensor reads float32 values and their shape.
func (g golden) tensor(t *testing.T, name string) ([]float32, []int) {
	t.Helper()
	data, err := g.file.Read(name)
	require.NoError(t, err)
	values := make([]float32, len(data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	for _, info := range g.file.Infos() {
		if info.Name == name {
			return values, info.Shape
		}
	}
	panic("unreachable")
}

// variable reads a weight or a gradient of v and turns it from PyTorch's layout
// into fcnx's.
func (g golden) variable(t *testing.T, prefix string, v models.Variable) *tensors.Tensor {
	t.Helper()
	values, shape := g.tensor(t, prefix+v.Layer+"."+v.Name)
	switch v.Role {
	case models.ConvWeight: // OIHW
		values, shape = permute(values, shape, 2, 3, 1, 0)
	case models.UpsampleDense: // IOHW
		values, shape = permute(values, shape, 2, 3, 0, 1)
	case models.UpsampleDepth: // C1HW
		values, shape = permute(values, shape, 2, 3, 0, 1)
		shape = shape[:3]
	}
	require.Equal(t, v.Shape, shape, "%s%s", prefix, v.Path())
	return tensors.FromFlatDataAndDimensions(values, shape...)
}

func permute(values []float32, shape []int, axes ...int) ([]float32, []int) {
	strides, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i], n = n, n*shape[i]
	}
	to := make([]int, len(axes))
	for i, a := range axes {
		to[i] = shape[a]
	}
	out := make([]float32, n)
	for i := range out {
		from, rest := 0, i
		for k := len(to) - 1; k >= 0; k-- {
			from += rest % to[k] * strides[axes[k]]
			rest /= to[k]
		}
		out[i] = values[from]
	}
	return out, to
}

func (g golden) store(t *testing.T) *model.Store {
	t.Helper()
	store := model.NewStore()
	for _, v := range g.net.Variables() {
		_, err := store.CreateVariable("/"+v.Path(), g.variable(t, "", v))
		require.NoError(t, err)
	}
	return store
}

// images gives the input as [N,H,W,3].
func (g golden) images(t *testing.T) *tensors.Tensor {
	values, shape := g.tensor(t, "input")
	values, shape = permute(values, shape, 0, 2, 3, 1)
	return tensors.FromFlatDataAndDimensions(values, shape...)
}

func (g golden) labels(t *testing.T) *tensors.Tensor {
	data, err := g.file.Read("labels")
	require.NoError(t, err)
	s := g.images(t).Shape()
	return tensors.FromFlatDataAndDimensions(data, s.Dim(0), s.Dim(1), s.Dim(2))
}

// requireClose fails unless every value is within tolerance of the largest one, or
// of floor where all are smaller.
func requireClose(t *testing.T, want, got []float32, tolerance, floor float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	largest := floor
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	for i := range want {
		if d := math.Abs(float64(want[i]) - float64(got[i])); !(d <= tolerance*largest) {
			t.Fatalf("%s: element %d is %v, PyTorch has %v: off by %.1e of the largest, more than %.0e", what, i, got[i], want[i], d/largest, tolerance)
		}
	}
}

// TestParity compiles, of each golden, the network in evaluation and in training
// with all gradients in one graph: to compile is what takes the time.
func TestParity(t *testing.T) {
	b := models.Backend(t, devicetest.Kind())
	for name, g := range openGoldens(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkParity(t, b, g)
		})
	}
}

func checkParity(t *testing.T, b compute.Backend, g golden) {
	classWeights, _ := g.tensor(t, "class_weights")
	var learned []models.Variable
	for _, v := range g.net.Variables() {
		if v.Learns() {
			learned = append(learned, v)
		}
	}
	store := g.store(t)
	exec, err := model.NewExec(b, store, func(s *model.Scope, x, labels *graph.Node) []*graph.Node {
		// Evaluation comes first: training moves the running averages that it reads.
		evaluated := graph.TransposeAllAxes(g.net.Logits(s, x, models.Pass{}), 0, 3, 1, 2)

		logits := g.net.Logits(store.RootScope(), x, models.Pass{Training: true})
		sum, weight := models.CrossEntropy(logits, labels, nil)
		weighted, weights := models.CrossEntropy(logits, labels, graph.Const(x.Graph(), classWeights))
		mean := graph.Div(sum, weight)
		var values []*graph.Node
		for _, v := range learned {
			values = append(values, store.GetVariable("/"+v.Path()).NodeValue(x))
		}
		out := []*graph.Node{evaluated, sum, mean, graph.Div(weighted, weights)}
		return append(out, graph.Gradient(mean, values...)...)
	})
	require.NoError(t, err)
	out, err := exec.Exec(g.images(t), g.labels(t))
	require.NoError(t, err)

	tolerance := tolerances(t)
	g.requireLogits(t, out[0])
	for i, name := range []string{"loss_sum", "loss_mean", "loss_weighted_mean"} {
		want, _ := g.tensor(t, name)
		require.InEpsilon(t, want[0], tensors.ToScalar[float32](out[1+i]), tolerance.Loss, name)
	}
	for i, v := range learned {
		want := tensors.MustCopyFlatData[float32](g.variable(t, "grad.", v))
		requireClose(t, want, tensors.MustCopyFlatData[float32](out[4+i]), tolerance.Gradients, 1e-3, "gradient of "+v.Path())
	}
	for _, v := range g.net.Variables() {
		if v.Role == models.NormMean || v.Role == models.NormVariance {
			want := tensors.MustCopyFlatData[float32](g.variable(t, "after.", v))
			got := store.GetVariable("/" + v.Path()).MustValue()
			requireClose(t, want, tensors.MustCopyFlatData[float32](got), tolerance.Running, 0, v.Path())
		}
	}
}

func (g golden) requireLogits(t *testing.T, got *tensors.Tensor) {
	t.Helper()
	want, shape := g.tensor(t, "logits")
	require.Equal(t, shape, got.Shape().Dimensions)
	values, tolerance := tensors.MustCopyFlatData[float32](got), tolerances(t)
	requireClose(t, want, values, tolerance.Logits, 0, "logits")

	wantMask, mask := bestClasses(want, shape), bestClasses(values, shape)
	same := 0
	for i := range mask {
		if mask[i] == wantMask[i] {
			same++
		}
	}
	require.GreaterOrEqual(t, float64(same), tolerance.Masks*float64(len(mask)), "equal pixels of %d", len(mask))
}

// bestClasses are the masks [N,H,W] of logits [N,C,H,W]: the first of the best classes.
func bestClasses(logits []float32, shape []int) []int {
	n, classes, plane := shape[0], shape[1], shape[2]*shape[3]
	masks := make([]int, n*plane)
	for i := range masks {
		pixels := logits[i/plane*classes*plane+i%plane:]
		for c := range classes {
			if pixels[c*plane] > pixels[masks[i]*plane] {
				masks[i] = c
			}
		}
	}
	return masks
}

// In bfloat16 a net is no further from the right numbers than PyTorch's autocast is.
func TestBFloat16AgainstAutocast(t *testing.T) {
	text, err := os.ReadFile("testdata/parity/autocast.json")
	require.NoError(t, err)
	var torch map[string]struct{ Logits, Gradient float64 }
	require.NoError(t, json.Unmarshal(text, &torch))
	b, pass := models.Backend(t, "go"), models.Pass{DType: dtypes.BFloat16}
	goldens := openGoldens(t)
	require.Len(t, torch, len(goldens))
	var logits, gradients float64 // the sums of the logarithms of what we have over what PyTorch has
	for name, g := range goldens {
		var learned []models.Variable
		var want []float32
		for _, v := range g.net.Variables() {
			if v.Learns() {
				learned = append(learned, v)
				want = append(want, tensors.MustCopyFlatData[float32](g.variable(t, "grad.", v))...)
			}
		}
		store := g.store(t)
		out, err := model.CallOnceN(b, store, func(s *model.Scope, x, labels *graph.Node) []*graph.Node {
			evaluated := graph.TransposeAllAxes(g.net.Logits(s, x, pass), 0, 3, 1, 2)
			training := pass
			training.Training = true
			sum, weight := models.CrossEntropy(g.net.Logits(store.RootScope(), x, training), labels, nil)
			var values []*graph.Node
			for _, v := range learned {
				values = append(values, store.GetVariable("/"+v.Path()).NodeValue(x))
			}
			return append([]*graph.Node{evaluated}, graph.Gradient(graph.Div(sum, weight), values...)...)
		}, g.images(t), g.labels(t))
		require.NoError(t, err)
		var got []float32
		for _, gradient := range out[1:] {
			got = append(got, tensors.MustCopyFlatData[float32](gradient)...)
		}
		right, _ := g.tensor(t, "logits")
		off := models.DifferenceOf(right, tensors.MustCopyFlatData[float32](out[0]))
		offGradient := models.DifferenceOf(want, got)
		t.Logf("%-45s logits %.4f, PyTorch %.4f; gradient %.4f, PyTorch %.4f", name, off, torch[name].Logits, offGradient, torch[name].Gradient)
		logits += math.Log(off / torch[name].Logits)
		gradients += math.Log(offGradient / torch[name].Gradient)
	}
	n := float64(len(goldens))
	t.Logf("in the geometric mean %.2f and %.2f of PyTorch's", math.Exp(logits/n), math.Exp(gradients/n))
	require.Less(t, math.Exp(logits/n), 1.25, "logits")
	require.Less(t, math.Exp(gradients/n), 1.25, "gradients")
}

// The Go backend computes the same graphs: a second opinion on XLA.
func TestParityLogitsGoBackend(t *testing.T) {
	b := models.Backend(t, "go")
	for name, g := range openGoldens(t) {
		t.Run(name, func(t *testing.T) {
			out, err := model.CallOnce(b, g.store(t), func(s *model.Scope, x *graph.Node) *graph.Node {
				return graph.TransposeAllAxes(g.net.Logits(s, x, models.Pass{}), 0, 3, 1, 2)
			}, g.images(t))
			require.NoError(t, err)
			g.requireLogits(t, out)
		})
	}
}
