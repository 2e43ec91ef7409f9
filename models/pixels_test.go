package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

func TestNormalizeAgainstLoops(t *testing.T) {
	const n, h, w = 3, 4, 5
	rng := rand.New(rand.NewPCG(1, 1))
	pixels := make([]uint8, n*h*w*3)
	for i := range pixels {
		pixels[i] = uint8(rng.IntN(256))
	}
	sizes := []int32{h, w, 2, 3, 0, 0} // a whole image, a smaller one, a blank one
	torch := Preprocess{Scale: 1.0 / 255, Mean: [3]float64{0.485, 0.456, 0.406}, Std: [3]float64{0.229, 0.224, 0.225}}
	caffe := Preprocess{BGR: true, Scale: 1, Mean: [3]float64{104.00699, 116.66877, 122.67892}, Std: [3]float64{1, 1, 1}}
	for _, backend := range bothBackends {
		for name, p := range map[string]Preprocess{"torchvision": torch, "caffe": caffe} {
			t.Run(backend+"/"+name, func(t *testing.T) {
				want := newGrid(n, h, w, 3)
				for k := range n {
					for i := range int(sizes[2*k]) {
						for j := range int(sizes[2*k+1]) {
							for c := range 3 {
								from := c
								if p.BGR {
									from = 2 - c
								}
								v := float64(pixels[((k*h+i)*w+j)*3+from])
								want.add(k, i, j, c, (v*p.Scale-p.Mean[c])/p.Std[c])
							}
						}
					}
				}
				out := run(t, Backend(t, backend), func(in []*graph.Node) []*graph.Node {
					return []*graph.Node{Normalize(in[0], in[1], p)}
				}, tensors.FromFlatDataAndDimensions(pixels, n, h, w, 3), tensors.FromFlatDataAndDimensions(sizes, n, 2))
				requireNear(t, want.values, want.dims(), out[0], 1e-6, "normalised")
				for i, v := range want.values {
					if v == 0 {
						require.Zero(t, toFloats(out[0])[i], "padding is zero, not nearly")
					}
				}
			})
		}
	}
}

// sources gives, for pixel i of a line that was stretched from `from` to `to`
// pixels, the two it lies between and the share of the second: PyTorch's
// area_pixel_compute_source_index with align_corners=False.
func sources(i, from, to int) (first, second int, share float64) {
	at := max(0, (float64(i)+0.5)*float64(from)/float64(to)-0.5)
	first = min(int(math.Floor(at)), from-1)
	second = min(first+1, from-1)
	return first, second, at - float64(first)
}

func TestSourcesOfPyTorch(t *testing.T) {
	stretch := func(line []float64, to int) []float64 {
		var out []float64
		for i := range to {
			a, b, share := sources(i, len(line), to)
			out = append(out, line[a]*(1-share)+line[b]*share)
		}
		return out
	}
	// torch.nn.functional.interpolate(x, size=..., mode="bilinear") of such lines.
	require.Equal(t, []float64{0, 0.25, 0.75, 1}, stretch([]float64{0, 1}, 4))
	require.Equal(t, []float64{0.5, 2.5}, stretch([]float64{0, 1, 2, 3}, 2))
	require.InDeltaSlice(t, []float64{0, 0.4, 1, 1.6, 2}, stretch([]float64{0, 1, 2}, 5), 1e-12)
	require.Equal(t, []float64{5, 5, 5}, stretch([]float64{5}, 3))
	require.Equal(t, []float64{1, 4, 7}, stretch([]float64{0, 1, 2, 3, 4, 5, 6, 7, 8}, 3))
}

func TestResizeLogitsAgainstLoops(t *testing.T) {
	const n, h, w, height, width, classes = 5, 6, 7, 9, 12, 2
	// Up, down, up one way and down the other, the same, and from a single pixel.
	from := []int32{6, 7, 6, 7, 3, 7, 5, 4, 1, 1}
	to := []int32{9, 12, 4, 2, 9, 5, 5, 4, 8, 3}

	rng := rand.New(rand.NewPCG(1, 1))
	logits, want := newGrid(n, h, w, classes), newGrid(n, height, width, classes)
	for k := range n {
		for i := range h {
			for j := range w {
				for c := range classes {
					v := float64(float32(rng.NormFloat64()))
					if i >= int(from[2*k]) || j >= int(from[2*k+1]) {
						v = 1e6 // scores of padding, which must not leak in
					}
					logits.add(k, i, j, c, v)
				}
			}
		}
		for i := range int(to[2*k]) {
			for j := range int(to[2*k+1]) {
				top, bottom, down := sources(i, int(from[2*k]), int(to[2*k]))
				left, right, across := sources(j, int(from[2*k+1]), int(to[2*k+1]))
				for c := range classes {
					above := logits.at(k, top, left, c)*(1-across) + logits.at(k, top, right, c)*across
					below := logits.at(k, bottom, left, c)*(1-across) + logits.at(k, bottom, right, c)*across
					want.add(k, i, j, c, above*(1-down)+below*down)
				}
			}
		}
	}
	in32 := make([]float32, len(logits.values))
	for i, v := range logits.values {
		in32[i] = float32(v)
	}
	for _, backend := range bothBackends {
		out := run(t, Backend(t, backend), func(in []*graph.Node) []*graph.Node {
			return []*graph.Node{ResizeLogits(in[0], in[1], in[2], height, width)}
		}, tensors.FromFlatDataAndDimensions(in32, logits.dims()...),
			tensors.FromFlatDataAndDimensions(from, n, 2), tensors.FromFlatDataAndDimensions(to, n, 2))
		require.Equal(t, want.dims(), out[0].Shape().Dimensions)
		got := grid{n, height, width, classes, toFloats(out[0])}
		for k := range n {
			for i := range int(to[2*k]) {
				for j := range int(to[2*k+1]) {
					for c := range classes {
						require.InDelta(t, want.at(k, i, j, c), got.at(k, i, j, c), 1e-5,
							"%s: sample %d, pixel (%d,%d), class %d", backend, k, i, j, c)
					}
				}
			}
		}
	}
}

// The last batch of an epoch is filled up with blank samples of size zero: their
// logits are never looked at, but a NaN among them would spread.
func TestResizeLogitsOfBlankSamples(t *testing.T) {
	for _, backend := range bothBackends {
		for _, sizes := range [][2][]int32{{{0, 0}, {0, 0}}, {{3, 3}, {0, 0}}, {{0, 0}, {4, 4}}} {
			out := run(t, Backend(t, backend), func(in []*graph.Node) []*graph.Node {
				return []*graph.Node{ResizeLogits(in[0], in[1], in[2], 4, 4)}
			}, tensors.FromFlatDataAndDimensions(make([]float32, 9), 1, 3, 3, 1),
				tensors.FromFlatDataAndDimensions(sizes[0], 1, 2), tensors.FromFlatDataAndDimensions(sizes[1], 1, 2))
			require.Equal(t, make([]float64, 16), toFloats(out[0]), fmt.Sprint(backend, sizes))
		}
	}
}
