package models

import (
	"fmt"
	"math/rand/v2"
	"testing"

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
				byWinograd := convolution{ahead: winograd, back: winogradBack, plain: func(x, kernel *graph.Node) *graph.Node {
					return graph.Convolve(padAround(x, 1), kernel).NoPadding().Done()
				}}
				got := run(t, Backend(t, backend), func(a []*graph.Node) []*graph.Node {
					x, kernel := a[0], graph.Reshape(a[1], 3, 3, in, out)
					y := byWinograd.of(x, kernel)
					return append([]*graph.Node{y}, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, a[2])), x, kernel)...)
				}, x.tensor(), kernel, dy.tensor())
				requireNear(t, y.values, y.dims(), got[0], 1e-12, "result")
				requireNear(t, dx.values, x.dims(), got[1], 1e-12, "gradient of the input")
				requireNear(t, dkernel, []int{3, 3, in, out}, got[2], 1e-12, "gradient of the kernel")
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

// The gradient of pixels is Winograd's from winogradPixels on; the kernel's never is.
func TestWinogradBackIsUsed(t *testing.T) {
	const in = winogradChannels
	b, rng := Backend(t, devicetest.Kind()), rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		h, w int
		used bool
	}{{6, 9, false}, {winogradPixels / 50, 50, true}} {
		x, dy, kernel := randomGrid(rng, 1, c.h, c.w, in), randomGrid(rng, 1, c.h, c.w, in), floats(rng, 9*in*in)
		gradients := func(p Pass) []*tensors.Tensor {
			store := model.NewStore()
			create(t, store, "/conv/weight", kernel, []int{3, 3, in, in})
			create(t, store, "/conv/bias", make([]float64, in), []int{in})
			out, err := model.CallOnceN(b, store, func(s *model.Scope, x, dy *graph.Node) []*graph.Node {
				y := p.convolve(s.In("conv"), x, in, 3, 1)
				return graph.Gradient(graph.ReduceAllSum(graph.Mul(y, dy)), x, store.GetVariable("/conv/weight").NodeValue(x))
			}, x.tensor(), dy.tensor())
			require.NoError(t, err)
			return out
		}
		plain, got := gradients(Pass{Training: true}), gradients(Pass{Training: true, Winograd: true})
		require.True(t, plain[0].InDelta(got[0], 1e-9))
		require.Equal(t, c.used, !plain[0].Equal(got[0]), "%dx%d", c.h, c.w)
		require.True(t, plain[1].Equal(got[1]))
	}
}
