package models

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/device/devicetest"
)

// bothBackends are XLA, which is what trains, and GoMLX's own backend, a second opinion
// that needs no compiler.
var bothBackends = []string{devicetest.Kind(), device.Go}

// The Go backend is opened once for all tests, as XLA's is.
var openGo = sync.OnceValues(func() (*device.Backend, error) {
	return device.Open(context.Background(), device.Options{Backend: device.Go})
})

// Backend is one of bothBackends.
func Backend(t testing.TB, kind string) compute.Backend {
	t.Helper()
	if kind != device.Go {
		return devicetest.Backend(t).Compute
	}
	b, err := openGo()
	require.NoError(t, err)
	return b.Compute
}

// run builds, compiles and runs f once.
func run(t testing.TB, b compute.Backend, f func(in []*graph.Node) []*graph.Node, args ...any) []*tensors.Tensor {
	t.Helper()
	out, err := graph.CallOnceN(b, f, args...)
	require.NoError(t, err)
	return out
}

// floats draws n numbers from a normal distribution.
func floats(rng *rand.Rand, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	return values
}

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// requireNear fails unless got is want [dims] within tolerance of the largest
// value of want.
func requireNear(t testing.TB, want []float64, dims []int, got *tensors.Tensor, tolerance float64, what string) {
	t.Helper()
	require.Equal(t, dims, got.Shape().Dimensions, what)
	values := toFloats(got)
	require.Len(t, want, len(values), what)
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(w - values[i]); !(d <= tolerance*largest) {
			t.Fatalf("%s: element %v is %v, the slow twin has %v", what, position(i, dims), values[i], w)
		}
	}
}

func toFloats(t *tensors.Tensor) []float64 {
	var values []float64
	t.MustConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float64:
			values = append(values, flat...)
		case []float32:
			for _, v := range flat {
				values = append(values, float64(v))
			}
		default:
			panic(fmt.Sprintf("no floats: %T", flat))
		}
	})
	return values
}

// position is the index of element i, one number an axis.
func position(i int, dims []int) []int {
	at := make([]int, len(dims))
	for a := len(dims) - 1; a >= 0; a-- {
		at[a] = i % dims[a]
		i /= dims[a]
	}
	return at
}

// grid is a slow twin's tensor [N,H,W,C]; outside it everything is zero.
type grid struct {
	n, h, w, c int
	values     []float64
}

func newGrid(n, h, w, c int) grid { return grid{n, h, w, c, make([]float64, n*h*w*c)} }

func (g grid) dims() []int { return []int{g.n, g.h, g.w, g.c} }

func (g grid) inside(i, j int) bool { return i >= 0 && i < g.h && j >= 0 && j < g.w }

func (g grid) at(n, i, j, c int) float64 {
	if !g.inside(i, j) {
		return 0
	}
	return g.values[((n*g.h+i)*g.w+j)*g.c+c]
}

// add drops what falls outside.
func (g grid) add(n, i, j, c int, v float64) {
	if g.inside(i, j) {
		g.values[((n*g.h+i)*g.w+j)*g.c+c] += v
	}
}

func randomGrid(rng *rand.Rand, n, h, w, c int) grid {
	return grid{n, h, w, c, floats(rng, n*h*w*c)}
}

func (g grid) tensor() *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(g.values, g.dims()...)
}
