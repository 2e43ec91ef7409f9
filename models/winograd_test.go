package models

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device/devicetest"
)

// Winograd's convolution is the plain one, and so are its gradients, for every width beside
// the fours in which it works.
func TestWinograd(t *testing.T) {
	for _, backend := range bothBackends {
		for _, c := range []struct{ h, w int }{{1, 1}, {2, 2}, {4, 3}, {3, 4}, {5, 5}, {1, 6}, {4, 7}, {8, 8}, {3, 9}} {
			t.Run(fmt.Sprintf("%s/%dx%d", backend, c.h, c.w), func(t *testing.T) {
				const in, out = 3, 2
				rng := rand.New(rand.NewPCG(uint64(c.h), uint64(c.w)))
				x, y := randomGrid(rng, 2, c.h, c.w, in), newGrid(2, c.h, c.w, out)
				kernel := floats(rng, 9*in*out)
				dy := randomGrid(rng, y.n, y.h, y.w, y.c)
				dx, dkernel, _ := slowConvolve(x, kernel, make([]float64, out), 3, 1, y, dy)
				plain := func(x, kernel *graph.Node) *graph.Node {
					return graph.Convolve(padAround(x, 1), kernel).NoPadding().Done()
				}
				for name, c := range map[string]convolution{
					"all":                {ahead: winograd, back: winogradBack, kernelGradient: winogradKernelGradient, plain: plain},
					"all, kept":          {ahead: winograd, back: winogradBack, kernelGradient: winogradKernelGradient, plain: plain, keep: true},
					"the kernel's":       {kernelGradient: winogradKernelGradient, plain: plain},
					"the kernel's, kept": {kernelGradient: winogradKernelGradient, plain: plain, keep: true},
				} {
					got := run(t, Backend(t, backend), func(a []*graph.Node) []*graph.Node {
						x, kernel := a[0], graph.Reshape(a[1], 3, 3, in, out)
						y := c.of(x, kernel)
						return append([]*graph.Node{y}, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, a[2])), x, kernel)...)
					}, x.tensor(), kernel, dy.tensor())
					requireNear(t, y.values, y.dims(), got[0], 1e-12, name+": result")
					requireNear(t, dx.values, x.dims(), got[1], 1e-12, name+": gradient of the input")
					requireNear(t, dkernel, []int{3, 3, in, out}, got[2], 1e-12, name+": gradient of the kernel")
				}
			})
		}
	}
}

// Only where somebody asked for it and channels are many is it used; there the digits
// differ, a little.
func TestWinogradIsUsed(t *testing.T) {
	const h, w, in = 6, 9, winogradChannels
	b, rng := Backend(t, devicetest.Kind()), rand.New(rand.NewPCG(1, 2))
	x := floats(rng, h*w*in)
	for _, c := range []struct {
		out, k, pad int
		pass        Pass
		used        bool
	}{
		{in, 3, 1, Pass{Winograd: true}, true},
		{in, 3, 1, Pass{}, false},
		{in, 3, 1, Pass{Winograd: true, Training: true}, true},
		{in, 3, 1, Pass{Winograd: true, Training: true, Recomputed: &Recomputed{}}, false},
		{in - 1, 3, 1, Pass{Winograd: true}, false},
		{in, 3, 2, Pass{Winograd: true}, false},
		{in, 1, 0, Pass{Winograd: true}, false},
	} {
		t.Run(fmt.Sprintf("%dx%d to %d pad %d %+v", c.k, c.k, c.out, c.pad, c.pass), func(t *testing.T) {
			kernel := floats(rng, c.k*c.k*in*c.out)
			convolve := func(p Pass) *tensors.Tensor {
				store := model.NewStore()
				create(t, store, "/conv/weight", kernel, []int{c.k, c.k, in, c.out})
				create(t, store, "/conv/bias", make([]float64, c.out), []int{c.out})
				y, err := model.CallOnce(b, store, func(s *model.Scope, x *graph.Node) *graph.Node {
					return p.convolve(s.In("conv"), graph.Reshape(x, 1, h, w, in), c.out, c.k, c.pad)
				}, x)
				require.NoError(t, err)
				return y
			}
			plain, got := convolve(Pass{}), convolve(c.pass)
			require.True(t, plain.InDelta(got, 1e-9))
			require.Equal(t, c.used, !plain.Equal(got))
		})
	}
}

// The gradient of pixels is Winograd's from winogradPixels on, the kernel's from fewer channels and
// pixels on.
func TestWinogradBackIsUsed(t *testing.T) {
	b, rng := Backend(t, devicetest.Kind()), rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		h, w, in, out int
		pad           int // 0: 1
		pass          Pass
		x, kernel     bool
	}{
		{h: winogradPixels / 50, w: 50, in: winogradChannels, out: winogradChannels, pass: Pass{Winograd: true}, x: true, kernel: true},
		{h: 20, w: 25, in: winogradChannels, out: winogradChannels, pass: Pass{Winograd: true}, kernel: true},
		{h: 20, w: 24, in: winogradChannels, out: winogradChannels, pass: Pass{Winograd: true}},
		{h: 20, w: 25, in: winogradKernelChannels, out: winogradKernelChannels + 1, pass: Pass{Winograd: true}, kernel: true},
		{h: 20, w: 25, in: winogradKernelChannels - 1, out: winogradKernelChannels, pass: Pass{Winograd: true}},
		{h: 20, w: 25, in: winogradKernelChannels, out: winogradKernelChannels},
		{h: 20, w: 25, in: winogradKernelChannels, out: winogradKernelChannels, pass: Pass{Winograd: true, Recomputed: &Recomputed{}}},
		{h: 20, w: 25, in: winogradKernelChannels, out: winogradKernelChannels, pad: 2, pass: Pass{Winograd: true}},
	} {
		t.Run(fmt.Sprintf("%dx%d, %d to %d, %+v", c.h, c.w, c.in, c.out, c.pass), func(t *testing.T) {
			pad := max(1, c.pad)
			x, dy, kernel := randomGrid(rng, 1, c.h, c.w, c.in), randomGrid(rng, 1, c.h+2*pad-2, c.w+2*pad-2, c.out), floats(rng, 9*c.in*c.out)
			gradients := func(p Pass) []*tensors.Tensor {
				p.Training = true
				store := model.NewStore()
				create(t, store, "/conv/weight", kernel, []int{3, 3, c.in, c.out})
				create(t, store, "/conv/bias", make([]float64, c.out), []int{c.out})
				out, err := model.CallOnceN(b, store, func(s *model.Scope, x, dy *graph.Node) []*graph.Node {
					y := p.convolve(s.In("conv"), x, c.out, 3, pad)
					return graph.Gradient(graph.ReduceAllSum(graph.Mul(y, dy)), x, store.GetVariable("/conv/weight").NodeValue(x))
				}, x.tensor(), dy.tensor())
				require.NoError(t, err)
				return out
			}
			without := c.pass
			without.Winograd = false
			plain, got := gradients(without), gradients(c.pass)
			for i, used := range []bool{c.x, c.kernel} {
				require.True(t, plain[i].InDelta(got[i], 1e-9))
				require.Equal(t, used, !plain[i].Equal(got[i]))
			}
		})
	}
}

// In float32 Winograd's kernel gradient is at most twice as far from the true one as
// docs/configuration.md says: its sums have larger factors than they give.
func TestWinogradKernelGradientIsPrecise(t *testing.T) {
	const h, w, c = 60, 61, 32
	b, rng := Backend(t, devicetest.Kind()), rand.New(rand.NewPCG(1, 2))
	x, dy := floats(rng, h*w*c), floats(rng, h*w*c)
	pixels := func(n *graph.Node) *graph.Node { return graph.Reshape(n, 1, h, w, c) }
	want := run(t, b, func(in []*graph.Node) []*graph.Node {
		kernel := graph.Zeros(in[0].Graph(), shapes.Make(dtypes.Float64, 3, 3, c, c))
		y := graph.Convolve(padAround(pixels(in[0]), 1), kernel).NoPadding().Done()
		return graph.Gradient(graph.ReduceAllSum(graph.Mul(y, pixels(in[1]))), kernel)
	}, x, dy)
	got := run(t, b, func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{winogradKernelGradient(pixels(in[0]), pixels(in[1]))}
	}, narrow(x), narrow(dy))
	require.Less(t, apart(narrow(tensors.MustCopyFlatData[float64](want[0])), tensors.MustCopyFlatData[float32](got[0])), devicetest.Tolerance(4e-6))
}
