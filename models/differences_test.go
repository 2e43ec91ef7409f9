package models

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/device/devicetest"
)

// pass is what a network in float32 gives on a backend for one image of h by w pixels,
// with weights, image and labels that depend on nothing else: the logits of evaluation,
// and the gradient of the loss for each variable that learns.
func pass(t *testing.T, b compute.Backend, c Config, h, w int) map[string][]float32 {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 2))
	store := model.NewStore()
	var names []string
	for _, v := range c.Variables() {
		_, err := store.CreateVariable("/"+v.Path(), tensors.FromFlatDataAndDimensions(narrow(liveValues(c, v, rng)), v.Shape...))
		require.NoError(t, err)
		if v.Learns() {
			names = append(names, v.Path())
		}
	}
	images := tensors.FromFlatDataAndDimensions(narrow(floats(rng, h*w*3)), 1, h, w, 3)
	labels := make([]uint8, h*w)
	for i := range labels {
		labels[i] = uint8(rng.IntN(c.Classes))
	}
	exec, err := model.NewExec(b, store, func(s *model.Scope, x, labels *graph.Node) []*graph.Node {
		logits := c.Logits(s, x, Pass{})
		sum, weight := CrossEntropy(logits, labels, nil)
		var values []*graph.Node
		for _, name := range names {
			values = append(values, store.GetVariable("/"+name).NodeValue(x))
		}
		return append([]*graph.Node{logits}, graph.Gradient(graph.Div(sum, weight), values...)...)
	})
	require.NoError(t, err)
	out, err := exec.Exec(images, tensors.FromFlatDataAndDimensions(labels, 1, h, w))
	require.NoError(t, err)
	results := map[string][]float32{}
	for i, name := range append([]string{logitsName}, names...) {
		results[name] = tensors.MustCopyFlatData[float32](out[i])
	}
	return results
}

const logitsName = "logits"

func narrow(values []float64) []float32 {
	result := make([]float32, len(values))
	for i, v := range values {
		result[i] = float32(v)
	}
	return result
}

// apart is how far two tensors are from each other at most, as a share of the largest
// value of the first.
func apart(want, got []float32) float64 {
	largest, difference := 0.0, 0.0
	for i, w := range want {
		largest = max(largest, math.Abs(float64(w)))
		difference = max(difference, math.Abs(float64(w)-float64(got[i]))) // max keeps NaN
	}
	return difference / largest
}

// requireAlike tells how far two backends are apart, in the logits and in the gradient that
// differs most, and holds them to the tolerances of docs/parity.md.
func requireAlike(t *testing.T, what string, want, got map[string][]float32) {
	t.Helper()
	require.Len(t, got, len(want))
	logits, worst, variable := apart(want[logitsName], got[logitsName]), 0.0, ""
	for name := range want {
		if d := apart(want[name], got[name]); name != logitsName && !(d <= worst) {
			worst, variable = d, name
		}
	}
	t.Logf("%s: logits %.1e apart, gradients at most %.1e (%s), of the largest", what, logits, worst, variable)
	require.LessOrEqual(t, logits, devicetest.Tolerance(1e-4), "logits")
	require.LessOrEqual(t, worst, devicetest.Tolerance(1e-3), "gradient of %s", variable)
}

// The measure finds little between two backends, and a change of one value.
func TestDifferences(t *testing.T) {
	tiny := Config{Arch: "fcn32s", Encoder: "vgg11", Classes: 3, Width: 2, Head: 4, Upsample: Depthwise, Geometry: Same}
	requireAlike(t, "XLA and the Go backend", pass(t, Backend(t, devicetest.Kind()), tiny, 32, 32), pass(t, Backend(t, device.Go), tiny, 32, 32))

	same := []float32{1, -4, 2}
	require.Zero(t, apart(same, same))
	require.InDelta(t, 0.25, apart(same, []float32{1, -4, 3}), 1e-12)
	require.True(t, math.IsNaN(apart(same, []float32{1, -4, float32(math.NaN())})))
}

// CPU and GPU, for a tiny net and for the paper's.
func TestCPUAndCUDA(t *testing.T) {
	if devicetest.Kind() != device.CUDA {
		t.Skipf("this compares the CPU with a GPU; %s=cuda runs it where there is one", devicetest.Variable)
	}
	cpu, err := devicetest.Open(device.CPU, 1)
	require.NoError(t, err)
	defer cpu.Close()
	gpu := devicetest.Backend(t)
	tiny := Config{Arch: "fcn8s", Encoder: "vgg11", Classes: 5, Width: 4, Head: 16, Upsample: Learned, Geometry: Same}
	full := Config{Arch: "fcn8s", Encoder: "vgg16", Classes: 21, Width: 64, Head: 4096, Upsample: Learned, Geometry: Same}
	for _, c := range []struct {
		name string
		net  Config
		size int
	}{
		{"FCN-8s, width 4, 64x64", tiny, 64},
		{"FCN-8s of VGG16, 320x320", full, 320},
	} {
		t.Run(c.name, func(t *testing.T) {
			requireAlike(t, c.name, pass(t, cpu.Compute, c.net, c.size, c.size), pass(t, gpu.Compute, c.net, c.size, c.size))
		})
	}
}
