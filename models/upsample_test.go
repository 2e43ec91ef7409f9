package models

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

// scatter is the definition of a transposed convolution without bias: pixel (i,j)
// of x adds its value times the kernel [k,k,in,out] to the k by k pixels of the
// result that begin at (i*stride, j*stride), of which trim are cut away above and
// to the left. It also follows the gradient dy of the result back to x and kernel.
func scatter(x grid, kernel []float64, k, stride, trim int, y, dy grid) (dx grid, dkernel []float64) {
	dx, dkernel = newGrid(x.n, x.h, x.w, x.c), make([]float64, len(kernel))
	for n := range x.n {
		for i := range x.h {
			for j := range x.w {
				for a := range k {
					for b := range k {
						for in := range x.c {
							for out := range y.c {
								at := ((a*k+b)*x.c+in)*y.c + out
								row, col := i*stride+a-trim, j*stride+b-trim
								y.add(n, row, col, out, x.at(n, i, j, in)*kernel[at])
								dx.add(n, i, j, in, dy.at(n, row, col, out)*kernel[at])
								dkernel[at] += dy.at(n, row, col, out) * x.at(n, i, j, in)
							}
						}
					}
				}
			}
		}
	}
	return dx, dkernel
}

// diagonal spreads a kernel [k,k,C] of one plane a class to [k,k,C,C], and gathers
// its gradient again.
func diagonal(plane []float64, classes int) []float64 {
	full := make([]float64, len(plane)*classes)
	for i, v := range plane {
		full[i*classes+i%classes] = v
	}
	return full
}

func undiagonal(full []float64, classes int) []float64 {
	plane := make([]float64, len(full)/classes)
	for i := range plane {
		plane[i] = full[i*classes+i%classes]
	}
	return plane
}

func TestUpsampleAgainstScatter(t *testing.T) {
	for _, backend := range bothBackends {
		for _, kind := range []string{Learned, Depthwise, Bilinear} {
			for _, geometry := range []string{Same, Paper} {
				for _, stride := range []int{1, 2, 4, 8, 16, 32} {
					if stride == 1 && geometry == Same {
						continue // nothing to trim evenly: 2x2 kernels make one row and column more
					}
					t.Run(fmt.Sprintf("%s/%s/%s/%d", backend, kind, geometry, stride), func(t *testing.T) {
						checkUpsample(t, backend, Config{Upsample: kind, Geometry: geometry}, stride)
					})
				}
			}
		}
	}
}

func checkUpsample(t *testing.T, backend string, c Config, s int) {
	const classes = 3
	rng := rand.New(rand.NewPCG(uint64(s), 1))
	x := randomGrid(rng, 2, 3, 2, classes)
	y, trim := newGrid(x.n, (x.h+1)*s, (x.w+1)*s, classes), 0
	if c.Geometry == Same {
		y, trim = newGrid(x.n, x.h*s, x.w*s, classes), s/2
	}
	dy := randomGrid(rng, y.n, y.h, y.w, y.c)

	// The kernel in fcnx's shape, and in the shape of the twin.
	store := model.NewStore()
	shape := []int{2 * s, 2 * s, classes}
	var kernel []float64
	switch c.Upsample {
	case Learned:
		shape = append(shape, classes)
		kernel = floats(rng, size(shape))
		create(t, store, "/upscore/weight", kernel, shape)
	case Depthwise:
		plane := floats(rng, size(shape))
		create(t, store, "/upscore/weight", plane, shape)
		kernel = diagonal(plane, classes)
	case Bilinear:
		var plane []float64
		for _, row := range bilinearKernel(2 * s) {
			for _, v := range row {
				plane = append(plane, float64(v), float64(v), float64(v))
			}
		}
		kernel = diagonal(plane, classes)
	}
	dx, dkernel := scatter(x, kernel, 2*s, s, trim, y, dy)

	out, err := model.CallOnceN(Backend(t, backend), store, func(scope *model.Scope, x, dy *graph.Node) []*graph.Node {
		y := c.upsample(scope, upscale{name: "upscore", stride: s}, x)
		wrt := []*graph.Node{x}
		if c.Upsample != Bilinear {
			wrt = append(wrt, store.GetVariable("/upscore/weight").NodeValue(x))
		}
		return append([]*graph.Node{y}, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, dy)), wrt...)...)
	}, x.tensor(), dy.tensor())
	require.NoError(t, err)
	requireNear(t, y.values, y.dims(), out[0], 1e-12, "result")
	requireNear(t, dx.values, x.dims(), out[1], 1e-12, "gradient of the input")
	switch c.Upsample {
	case Learned:
		requireNear(t, dkernel, shape, out[2], 1e-12, "gradient of the kernel")
	case Depthwise:
		requireNear(t, undiagonal(dkernel, classes), shape, out[2], 1e-12, "gradient of the kernel")
	case Bilinear:
		require.Zero(t, store.NumVariables())
	}
}

func create(t *testing.T, store *model.Store, path string, values []float64, shape []int) {
	t.Helper()
	_, err := store.CreateVariable(path, tensors.FromFlatDataAndDimensions(values, shape...))
	require.NoError(t, err)
}

// Bilinear upsampling of a constant is the constant, and of a ramp the ramp, where
// all four neighbours are there: that is what makes the kernel bilinear.
func TestBilinearUpsamplingKeepsRamps(t *testing.T) {
	b := Backend(t, device.Go)
	for _, s := range []int{2, 4, 8, 16, 32} {
		x := newGrid(1, 4, 5, 2)
		for i := range x.h {
			for j := range x.w {
				x.add(0, i, j, 0, 7)
				x.add(0, i, j, 1, float64(3*i-2*j))
			}
		}
		c := Config{Upsample: Bilinear, Geometry: Same}
		out := run(t, b, func(in []*graph.Node) []*graph.Node {
			return []*graph.Node{c.upsample(nil, upscale{name: "upscore", stride: s}, in[0])}
		}, x.tensor())
		y := grid{1, x.h * s, x.w * s, 2, toFloats(out[0])}
		for i := s / 2; i < y.h-s/2; i++ {
			for j := s / 2; j < y.w-s/2; j++ {
				// The centre of pixel i of the result lies at (i+0.5)/s-0.5 of the input.
				row, col := (float64(i)+0.5)/float64(s)-0.5, (float64(j)+0.5)/float64(s)-0.5
				require.InDelta(t, 7, y.at(0, i, j, 0), 1e-12)
				require.InDelta(t, 3*row-2*col, y.at(0, i, j, 1), 1e-12, "stride %d, pixel (%d,%d)", s, i, j)
			}
		}
	}
}
