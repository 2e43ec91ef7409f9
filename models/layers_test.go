package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

// valueAndGradient runs y = f(x) and the gradient of sum(y*dy) with regard to x.
func valueAndGradient(t *testing.T, backend string, f func(x *graph.Node) *graph.Node, x, dy grid) (y, dx *tensors.Tensor) {
	t.Helper()
	out := run(t, Backend(t, backend), func(in []*graph.Node) []*graph.Node {
		y := f(in[0])
		return []*graph.Node{y, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, in[1])), in[0])[0]}
	}, x.tensor(), dy.tensor())
	return out[0], out[1]
}

// slowConvolve is the definition of a convolution with bias, and its gradients.
func slowConvolve(x grid, kernel, bias []float64, k, pad int, y, dy grid) (dx grid, dkernel, dbias []float64) {
	dx, dkernel, dbias = newGrid(x.n, x.h, x.w, x.c), make([]float64, len(kernel)), make([]float64, len(bias))
	for n := range y.n {
		for i := range y.h {
			for j := range y.w {
				for out := range y.c {
					d := dy.at(n, i, j, out)
					y.add(n, i, j, out, bias[out])
					dbias[out] += d
					for a := range k {
						for b := range k {
							for in := range x.c {
								at := ((a*k+b)*x.c+in)*y.c + out
								row, col := i+a-pad, j+b-pad
								y.add(n, i, j, out, kernel[at]*x.at(n, row, col, in))
								dkernel[at] += d * x.at(n, row, col, in)
								dx.add(n, row, col, in, d*kernel[at])
							}
						}
					}
				}
			}
		}
	}
	return dx, dkernel, dbias
}

func TestConvolveAgainstLoops(t *testing.T) {
	for _, backend := range bothBackends {
		for _, c := range []struct {
			k, pad, h, w, in, out int
			keep, again           bool
		}{
			{k: 3, pad: 1, h: 5, w: 4, in: 3, out: 2, keep: true}, {k: 3, pad: 1, h: 1, w: 1, in: 3, out: 2, keep: true}, // conv1_1
			{k: 3, pad: 1, h: 5, w: 4, in: 2, out: 3}, {k: 3, h: 4, w: 3, in: 2, out: 2}, // to conv5_4
			{k: 3, pad: 1, h: 5, w: 4, in: 2, out: 3, keep: true}, {k: 3, pad: 1, h: 5, w: 4, in: 2, out: 3, again: true},
			{k: 7, pad: 3, h: 4, w: 5, in: 3, out: 2}, {k: 7, pad: 3, h: 1, w: 1, in: 3, out: 2}, {k: 7, h: 8, w: 9, in: 3, out: 2}, // fc6
			{k: 7, h: 7, w: 7, in: 3, out: 2}, {k: 7, pad: 3, h: 2, w: 3, in: 3, out: wideProduct},
			{k: 1, h: 3, w: 4, in: 3, out: 2, keep: true}, {k: 1, h: 1, w: 1, in: 3, out: 2, keep: true}, {k: 1, h: 3, w: 4, in: 3, out: wideProduct, keep: true}, // fc7 and the scores
		} {
			t.Run(fmt.Sprintf("%s/%+v", backend, c), func(t *testing.T) {
				in, out := c.in, c.out
				rng := rand.New(rand.NewPCG(uint64(c.k), uint64(c.h)))
				x := randomGrid(rng, 2, c.h, c.w, in)
				y := newGrid(2, c.h+2*c.pad-c.k+1, c.w+2*c.pad-c.k+1, out)
				dy := randomGrid(rng, y.n, y.h, y.w, y.c)
				kernel, bias := floats(rng, c.k*c.k*in*out), floats(rng, out)
				dx, dkernel, dbias := slowConvolve(x, kernel, bias, c.k, c.pad, y, dy)

				store := model.NewStore()
				create(t, store, "/fc6/weight", kernel, []int{c.k, c.k, in, out})
				create(t, store, "/fc6/bias", bias, []int{out})
				got, err := model.CallOnceN(Backend(t, backend), store, func(s *model.Scope, x, dy *graph.Node) []*graph.Node {
					y := biased(Pass{again: c.again}.unbiased(s.In("fc6"), x, out, c.k, c.pad, c.keep))
					loss := graph.ReduceAllSum(graph.Mul(y, dy))
					wrt := []*graph.Node{x, store.GetVariable("/fc6/weight").NodeValue(x), store.GetVariable("/fc6/bias").NodeValue(x)}
					return append([]*graph.Node{y}, graph.Gradient(loss, wrt...)...)
				}, x.tensor(), dy.tensor())
				require.NoError(t, err)
				requireNear(t, y.values, y.dims(), got[0], 1e-12, "result")
				requireNear(t, dx.values, x.dims(), got[1], 1e-12, "gradient of the input")
				requireNear(t, dkernel, []int{c.k, c.k, in, out}, got[2], 1e-12, "gradient of the kernel")
				requireNear(t, dbias, []int{out}, got[3], 1e-12, "gradient of the bias")
			})
		}
	}
}

// slowMaxPool looks at each window, pixel by pixel, and keeps the first of the
// largest, to which alone it hands the gradient.
func slowMaxPool(x grid, ceil bool, dy func(y grid) grid) (y, gradient, dx grid) {
	h, w := x.h/2, x.w/2
	if ceil {
		h, w = (x.h+1)/2, (x.w+1)/2
	}
	y, dx = newGrid(x.n, h, w, x.c), newGrid(x.n, x.h, x.w, x.c)
	gradient = dy(y)
	for n := range y.n {
		for i := range y.h {
			for j := range y.w {
				for c := range y.c {
					row, col, largest := 0, 0, math.Inf(-1)
					for a := 2 * i; a < min(2*i+2, x.h); a++ {
						for b := 2 * j; b < min(2*j+2, x.w); b++ {
							if v := x.at(n, a, b, c); v > largest {
								row, col, largest = a, b, v
							}
						}
					}
					y.add(n, i, j, c, largest)
					dx.add(n, row, col, c, gradient.at(n, i, j, c))
				}
			}
		}
	}
	return y, gradient, dx
}

func TestMaxPoolAgainstLoops(t *testing.T) {
	for _, backend := range bothBackends {
		for _, ceil := range []bool{false, true} {
			for _, size := range [][2]int{{2, 2}, {6, 4}, {3, 5}, {5, 6}, {4, 7}, {1, 1}, {1, 4}, {3, 1}} {
				if !ceil && min(size[0], size[1]) < 2 {
					continue // nothing would be left
				}
				t.Run(fmt.Sprintf("%s/ceil=%v/%dx%d", backend, ceil, size[0], size[1]), func(t *testing.T) {
					// Few different values, none below zero, as after a relu: most windows
					// have ties, many of zeros.
					rng := rand.New(rand.NewPCG(3, uint64(size[0]*10+size[1])))
					x := newGrid(2, size[0], size[1], 3)
					for i := range x.values {
						x.values[i] = float64(rng.IntN(3))
					}
					y, dy, dx := slowMaxPool(x, ceil, func(y grid) grid { return randomGrid(rng, y.n, y.h, y.w, y.c) })
					gotY, gotDx := valueAndGradient(t, backend, func(x *graph.Node) *graph.Node { return maxPool(x, ceil) }, x, dy)
					requireNear(t, y.values, y.dims(), gotY, 0, "result")
					requireNear(t, dx.values, x.dims(), gotDx, 0, "gradient")
				})
			}
		}
	}
}

func TestRelu(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	x := grid{1, 1, 7, 1, []float64{-2, -inf, 0, math.Copysign(0, -1), 3, inf, nan}}
	dy := grid{1, 1, 7, 1, []float64{1, 1, 1, 1, 1, 1, 1}}
	for _, backend := range bothBackends {
		y, dx := valueAndGradient(t, backend, relu, x, dy)
		require.True(t, math.IsNaN(toFloats(y)[6]), "relu(NaN) on %s", backend)
		require.Equal(t, []float64{0, 0, 0, 0, 3, inf}, toFloats(y)[:6], backend)
		require.Equal(t, []float64{0, 0, 0, 0, 1, 1}, toFloats(dx)[:6], backend)
	}
}

// A frozen batch norm is an affine map: in training too it goes by its running
// averages, and leaves them as they are.
func TestFrozenBatchNorm(t *testing.T) {
	c := Config{Arch: "fcn32s", Encoder: "vgg11_bn", Classes: 2, Width: 1, Head: 2, Upsample: Bilinear, Geometry: Same}
	logits := func(pass Pass) ([]float64, *model.Store) {
		rng := rand.New(rand.NewPCG(1, 1))
		store := model.NewStore()
		for _, v := range c.Variables() {
			values := floats(rng, v.Size())
			if v.Role == NormVariance {
				for i := range values {
					values[i] = 1 + values[i]*values[i]
				}
			}
			create(t, store, "/"+v.Path(), values, v.Shape)
		}
		out, err := model.CallOnce(Backend(t, device.Go), store, func(s *model.Scope, x *graph.Node) *graph.Node {
			return c.Logits(s, x, pass)
		}, randomGrid(rng, 2, 32, 32, 3).tensor())
		require.NoError(t, err)
		return toFloats(out), store
	}
	averages := func(store *model.Store, layer string) []float64 {
		return append(toFloats(store.GetVariable("/"+layer+"/running_mean").MustValue()),
			toFloats(store.GetVariable("/"+layer+"/running_var").MustValue())...)
	}
	evaluated, before := logits(Pass{})
	frozen, after := logits(Pass{Training: true, Frozen: func(string) bool { return true }})
	require.Equal(t, evaluated, frozen)
	require.Equal(t, averages(before, "bn5_2"), averages(after, "bn5_2"))

	half, moved := logits(Pass{Training: true, Frozen: func(layer string) bool { return layer == "bn1_1" }})
	require.NotEqual(t, evaluated, half)
	require.Equal(t, averages(before, "bn1_1"), averages(moved, "bn1_1"))
	require.NotEqual(t, averages(before, "bn5_2"), averages(moved, "bn5_2"))
}

// One weight that is NaN makes the loss NaN, by which a run sees that it diverged.
func TestNaNReachesTheLoss(t *testing.T) {
	for _, backend := range bothBackends {
		c := Config{Arch: "fcn8s", Encoder: "vgg11", Classes: 2, Width: 1, Head: 2, Upsample: Bilinear, Geometry: Same}
		store := model.NewStore()
		for _, v := range c.Variables() {
			values := floats(rand.New(rand.NewPCG(1, 1)), v.Size())
			if v.Path() == "conv1_1/weight" {
				values[0] = math.NaN()
			}
			create(t, store, "/"+v.Path(), values, v.Shape)
		}
		image := newGrid(1, 32, 32, 3)
		image.add(0, 0, 0, 0, 1)
		labels := tensors.FromFlatDataAndDimensions(make([]uint8, 32*32), 1, 32, 32)
		loss, err := model.CallOnce(Backend(t, backend), store, func(s *model.Scope, x, labels *graph.Node) *graph.Node {
			sum, _ := CrossEntropy(c.Logits(s, x, Pass{Training: true}), labels, nil)
			return sum
		}, image.tensor(), labels)
		require.NoError(t, err)
		require.True(t, math.IsNaN(tensors.ToScalar[float64](loss)), backend)
	}
}

func TestPaddingAgainstLoops(t *testing.T) {
	for _, backend := range bothBackends {
		for _, c := range []struct{ top, bottom, left, right int }{
			{0, 0, 0, 0}, {1, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 3, 0}, {0, 0, 0, 4}, {2, 1, 3, 5},
		} {
			rng := rand.New(rand.NewPCG(5, uint64(c.right)))
			x := randomGrid(rng, 2, 3, 2, 2)
			y := newGrid(2, c.top+3+c.bottom, c.left+2+c.right, 2)
			dy, dx := randomGrid(rng, y.n, y.h, y.w, y.c), newGrid(2, 3, 2, 2)
			for n := range x.n {
				for i := range x.h {
					for j := range x.w {
						for ch := range x.c {
							y.add(n, i+c.top, j+c.left, ch, x.at(n, i, j, ch))
							dx.add(n, i, j, ch, dy.at(n, i+c.top, j+c.left, ch))
						}
					}
				}
			}
			pad := func(x *graph.Node) *graph.Node { return padSides(x, c.top, c.bottom, c.left, c.right) }
			gotY, gotDx := valueAndGradient(t, backend, pad, x, dy)
			requireNear(t, y.values, y.dims(), gotY, 0, "padded")
			requireNear(t, dx.values, x.dims(), gotDx, 0, "gradient of the padding")

			// crop is the way back.
			back := func(y *graph.Node) *graph.Node { return crop(y, c.top, c.left, 3, 2) }
			gotX, gotDy := valueAndGradient(t, backend, back, y, x)
			requireNear(t, x.values, x.dims(), gotX, 0, "cropped")
			requireNear(t, y.values, y.dims(), gotDy, 0, "gradient of the crop")
		}
	}
}

func TestDropout(t *testing.T) {
	const elements = 100_000
	rngState, err := graph.RNGStateFromSeed(42)
	require.NoError(t, err)
	other, err := graph.RNGStateFromSeed(43)
	require.NoError(t, err)
	for _, backend := range bothBackends {
		t.Run(backend, func(t *testing.T) {
			b := Backend(t, backend)
			drop := func(p float64, state *tensors.Tensor) (y, again, dx []float64) {
				out := run(t, b, func(in []*graph.Node) []*graph.Node {
					pass := Pass{Training: true, RNG: in[0]}
					x := graph.MulScalar(graph.Ones(in[0].Graph(), shapes.Make(dtypes.Float64, 1, elements, 1, 1)), 3)
					y, rng := dropout(x, p, pass)
					pass.RNG = rng
					again, _ := dropout(x, p, pass)
					return []*graph.Node{y, again, graph.Gradient(graph.ReduceAllSum(y), x)[0]}
				}, must(state.LocalClone()))
				return toFloats(out[0]), toFloats(out[1]), toFloats(out[2])
			}
			for _, p := range []float64{0.1, 0.5, 0.9} {
				y, again, dx := drop(p, rngState)
				zeros, both := 0, 0
				for i := range y {
					if y[i] == 0 {
						zeros++
						require.Zero(t, dx[i])
					} else {
						require.InDelta(t, 3/(1-p), y[i], 1e-12, "what is kept stands for what is not")
						require.InDelta(t, 1/(1-p), dx[i], 1e-12)
					}
					if y[i] == 0 && again[i] == 0 {
						both++
					}
				}
				// Five standard deviations of a binomial distribution.
				requireShare(t, p, zeros, elements)
				requireShare(t, p*p, both, elements) // fc6 and fc7 lose different elements

				same, _, _ := drop(p, rngState)
				require.Equal(t, y, same, "a function of the random state alone")
				different, _, _ := drop(p, other)
				require.NotEqual(t, y, different)
			}
		})
	}
}

func requireShare(t *testing.T, p float64, count, n int) {
	t.Helper()
	require.InDelta(t, p*float64(n), count, 5*math.Sqrt(p*(1-p)*float64(n)))
}

func must(t *tensors.Tensor, err error) *tensors.Tensor {
	if err != nil {
		panic(err)
	}
	return t
}

// fc6 and fc7 are of one shape, so from one random state they would lose the same
// channels. Here both pass ones on, channel by channel, to as many classes.
func TestDropoutInTheNetwork(t *testing.T) {
	const channels = 255
	c := Config{Arch: "fcn32s", Encoder: "vgg11", Classes: channels, Width: 1, Head: channels, Upsample: Bilinear, Geometry: Same, Dropout: 0.5}
	store := model.NewStore()
	for _, v := range c.Variables() {
		values := make([]float64, v.Size())
		switch v.Path() {
		case "fc6/bias":
			for i := range values {
				values[i] = 1
			}
		case "fc7/weight", "score_fr/weight":
			for i := range channels {
				values[i*channels+i] = 1
			}
		}
		create(t, store, "/"+v.Path(), values, v.Shape)
	}
	for _, training := range []bool{true, false} {
		out, err := model.CallOnce(Backend(t, device.Go), store, func(s *model.Scope, x *graph.Node) *graph.Node {
			rng := graph.RNGStateFromSeedForGraph(x.Graph(), 1)
			return c.Logits(s, x, Pass{Training: training, RNG: rng})
		}, newGrid(1, 32, 32, 3).tensor())
		require.NoError(t, err)
		centre := toFloats(out)[(16*32+16)*channels:][:channels]
		zeros, largest := 0, 0.0
		for _, v := range centre {
			largest = max(largest, v)
			if v == 0 {
				zeros++
			}
		}
		// There is one score, and of the result this pixel is the nearest to it.
		peak := math.Pow(1-0.5/32, 2)
		if training {
			requireShare(t, 0.75, zeros, channels)
			require.InDelta(t, 4*peak, largest, 1e-6)
		} else {
			require.Zero(t, zeros)
			require.InDelta(t, peak, largest, 1e-6)
		}
	}
}

// Outside of training, and at p = 0, there is no dropout at all: the graph has no
// node more, and the random state, which may be nil, stays.
func TestDropoutOff(t *testing.T) {
	g := graph.NewGraph(Backend(t, device.Go), "off")
	defer g.Finalize()
	x := graph.Ones(g, shapes.Make(dtypes.Float32, 1, 2, 2, 1))
	for p, training := range map[float64]bool{0.5: false, 0: true} {
		y, rng := dropout(x, p, Pass{Training: training})
		require.Same(t, x, y)
		require.Nil(t, rng)
	}
}

func TestRoundUp(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 32, 31: 32, 32: 32, 33: 64, 500: 512} {
		require.Equal(t, want, roundUp(n, 32))
	}
}
