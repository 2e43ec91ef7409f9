package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"
)

var inBFloat16 = Pass{DType: dtypes.BFloat16}

// storeOf32 has variables of float32.
func storeOf32(t *testing.T, values map[string][]float64, dims map[string][]int) *model.Store {
	t.Helper()
	store := model.NewStore()
	for path, v := range values {
		_, err := store.CreateVariable("/"+path, single(v, dims[path]...))
		require.NoError(t, err)
	}
	return store
}

func single(values []float64, dims ...int) *tensors.Tensor {
	flat := make([]float32, len(values))
	for i, v := range values {
		flat[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(flat, dims...)
}

func filled(n int, v float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = v
	}
	return values
}

// A convolution multiplies bfloat16 numbers and adds a bias of float32: 1+2^-9 is 1 to the
// one, and itself to the other. What it hands back to a bias, a sum over more pixels than
// bfloat16 can count, is exact.
func TestConvolutionInBFloat16(t *testing.T) {
	const in, side, almost = 2, 40, 1 + 1./512
	for _, backend := range bothBackends {
		for _, c := range []struct{ k, out int }{{1, 3}, {1, wideProduct}, {3, 3}, {7, 3}} {
			k, out := c.k, c.out
			t.Run(fmt.Sprintf("%s/%dx%d to %d", backend, k, k, out), func(t *testing.T) {
				dims := map[string][]int{"fc6/weight": {k, k, in, out}, "fc6/bias": {out}}
				store := storeOf32(t, map[string][]float64{
					"fc6/weight": filled(k*k*in*out, almost), "fc6/bias": filled(out, almost),
				}, dims)
				got, err := model.CallOnceN(Backend(t, backend), store, func(s *model.Scope, x *graph.Node) []*graph.Node {
					y := inBFloat16.convolve(s.In("fc6"), x, out, k, 0)
					wrt := []*graph.Node{x, store.GetVariable("/fc6/weight").NodeValue(x), store.GetVariable("/fc6/bias").NodeValue(x)}
					return append([]*graph.Node{y}, graph.Gradient(graph.ReduceAllSum(y), wrt...)...)
				}, single(filled((side+k-1)*(side+k-1)*in, almost), 1, side+k-1, side+k-1, in))
				require.NoError(t, err)
				for _, g := range got {
					require.Equal(t, dtypes.Float32, g.DType())
				}
				pixels := side * side
				requireNear(t, filled(pixels*out, float64(k*k*in)+almost), []int{1, side, side, out}, got[0], 0, "result")
				dx := toFloats(got[1])
				require.Equal(t, float64(out), dx[0], "gradient of the corner, which one window sees")
				require.Equal(t, float64(k*k*out), dx[len(dx)/2+(side+k-1)/2*in], "gradient of a pixel in the middle")
				// 1600 is a number of bfloat16.
				requireNear(t, filled(k*k*in*out, float64(pixels)), dims["fc6/weight"], got[2], 0, "gradient of the kernel")
				requireNear(t, filled(out, float64(pixels)), dims["fc6/bias"], got[3], 0, "gradient of the bias")
			})
		}
	}
}

// DifferenceOf is the norm of got - want over that of want.
func DifferenceOf(want, got []float32) float64 {
	difference, norm := 0.0, 0.0
	for i := range want {
		d := float64(got[i]) - float64(want[i])
		difference, norm = difference+d*d, norm+float64(want[i])*float64(want[i])
	}
	return math.Sqrt(difference / norm)
}

// Layer by layer, a net in bfloat16 is the one in float32 but for rounding, of which each
// layer adds some; and so is its gradient as a whole. The Go backend rounds after each
// operation, XLA's CPU where it keeps a number.
func TestNetworkInBFloat16(t *testing.T) {
	const (
		ulp = 1. / 128 // of bfloat16, above 1
		h   = 64
		w   = 96
	)
	for _, c := range []struct {
		net      Config
		backends []string
		layers   float64 // most that one is off, in ulps
		gradient float64
	}{
		{Config{Arch: "fcn32s", Encoder: "vgg11", Upsample: Learned, Geometry: Same}, bothBackends, 2, 0.1},
		{Config{Arch: "fcn8s", Encoder: "vgg11", Upsample: Learned, Geometry: Same}, bothBackends[1:], 2, 0.1},
		{Config{Arch: "fcn16s", Encoder: "vgg11_bn", Upsample: Depthwise, Geometry: Same}, bothBackends[1:], 5, 0.25},
		{Config{Arch: "fcn8s", Encoder: "vgg11", Upsample: Bilinear, Geometry: Same, AtOnce: true}, bothBackends[1:], 2, 0.1},
	} {
		c.net.Classes, c.net.Width, c.net.Head = 4, 4, 16
		for _, backend := range c.backends {
			t.Run(fmt.Sprintf("%s at once %v/%s", c.net.Arch, c.net.AtOnce, backend), func(t *testing.T) {
				t.Parallel()
				names, want, wantGradient := everyLayer(t, backend, c.net, Pass{}, h, w)
				_, got, gotGradient := everyLayer(t, backend, c.net, inBFloat16, h, w)
				for i, name := range names {
					bound := c.layers * ulp
					if strings.Contains(name, "running") {
						bound = ulp / 4 // which are sums of float32
					}
					require.LessOrEqual(t, DifferenceOf(want[i], got[i]), bound, name)
				}
				off := DifferenceOf(wantGradient, gotGradient)
				require.LessOrEqual(t, off, c.gradient)
				require.Greater(t, off, ulp/8, "this is no bfloat16")
			})
		}
	}
}

// everyLayer is what each operation of a training step gives, and the gradient of all that
// learns, one after the other.
func everyLayer(t *testing.T, backend string, net Config, pass Pass, h, w int) (names []string, outputs [][]float32, gradient []float32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	store := model.NewStore()
	for _, v := range net.Variables() {
		_, err := store.CreateVariable("/"+v.Path(), single(liveValues(net, v, rng), v.Shape...))
		require.NoError(t, err)
	}
	labels := make([]uint8, 2*h*w)
	for i := range labels {
		labels[i] = uint8(rng.IntN(net.Classes))
	}
	exec, err := model.NewExec(Backend(t, backend), store, func(s *model.Scope, images, labels *graph.Node) []*graph.Node {
		var out []*graph.Node
		pass.Training = true
		pass.Tap = func(op string, output *graph.Node) { names, out = append(names, op), append(out, wide(output)) }
		logits := net.Logits(s, images, pass)
		require.Equal(t, dtypes.Float32, logits.DType())
		sum, weight := CrossEntropy(logits, labels, nil)
		var learned []*graph.Node
		for _, v := range net.Variables() {
			value := store.GetVariable("/" + v.Path()).NodeValue(images)
			require.Equal(t, dtypes.Float32, value.DType(), v.Path())
			if v.Learns() {
				learned = append(learned, value)
			} else {
				names, out = append(names, v.Path()), append(out, value)
			}
		}
		gradients := graph.Gradient(graph.Div(sum, weight), learned...)
		for i, g := range gradients {
			require.Equal(t, dtypes.Float32, g.DType())
			gradients[i] = graph.Reshape(g, -1)
		}
		return append(out, graph.Concatenate(gradients, 0))
	})
	require.NoError(t, err)
	out, err := exec.Exec(single(floats(rng, 2*h*w*3), 2, h, w, 3), tensors.FromFlatDataAndDimensions(labels, 2, h, w))
	require.NoError(t, err)
	for _, o := range out {
		outputs = append(outputs, tensors.MustCopyFlatData[float32](o))
	}
	last := len(outputs) - 1
	return names, outputs[:last], outputs[last]
}
