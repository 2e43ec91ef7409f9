package models

import (
	"fmt"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

// The tests of this file are named after the sections of Long, Shelhamer and
// Darrell, "Fully Convolutional Networks for Semantic Segmentation" (CVPR 2015),
// and hold the nets to its text and to the authors' released definitions.

// Section 3.1, adapting classifiers for dense prediction: the fully connected
// layers of VGG-16 become convolutions and keep every weight. fc6 was a matrix of
// 25088 by 4096, fc7 one of 4096 by 4096.
func TestSection31ConvolutionalizedClassifier(t *testing.T) {
	counts := map[string]int{}
	for _, v := range paperNet("fcn32s").Variables() {
		if v.Part == PartEncoder {
			counts["features"] += v.Size()
		} else {
			counts[v.Layer] += v.Size()
		}
	}
	require.Equal(t, map[string]int{
		"features": 14_714_688,
		"fc6":      (25088 + 1) * 4096,
		"fc7":      (4096 + 1) * 4096,
		"score_fr": (4096 + 1) * 21,
	}, counts)
	require.EqualValues(t, 134_346_581, paperNet("fcn32s").Parameters())
	require.EqualValues(t, 134_362_751, paperNet("fcn8s").Parameters())
}

// Section 3.1 again: the classifier now gives a map of scores, whose sides are those
// of the authors' released nets.
func TestSection31ScoreMap(t *testing.T) {
	for side, want := range map[int]int{224: 8, 256: 9, 320: 11, 375: 12, 500: 16, 512: 17, 1024: 33} {
		require.Equal(t, want, paperSides(side, ceilHalf).score, "image of %d", side)
		require.Equal(t, paperSides(side, ceilHalf), builtSides(t, side), "image of %d", side)
	}
}

// sides are the sizes, in the paper's geometry, of what becomes of one side of an
// image.
type sides struct{ pool3, pool4, score int }

// paperSides follows the authors' layers by arithmetic alone: conv1_1 pads by 100
// and takes 2 away, pooling halves, fc6 takes 6 away.
func paperSides(side int, halve func(int) int) sides {
	x := side + 2*100 - 2
	var pools []int
	for range 5 {
		x = halve(x)
		pools = append(pools, x)
	}
	return sides{pools[2], pools[3], pools[4] - 6}
}

func ceilHalf(x int) int  { return (x + 1) / 2 }
func floorHalf(x int) int { return x / 2 }

func builtSides(t *testing.T, side int) sides {
	c := Config{Arch: "fcn8s", Encoder: "vgg11", Classes: 2, Width: 1, Head: 1, Upsample: Bilinear, Geometry: Paper}
	dims := build(t, side, side, func(scope *model.Scope, images *graph.Node) []*graph.Node {
		pools := c.encode(scope, images, Pass{})
		return []*graph.Node{pools[3], pools[4], Pass{}.convolve(scope.In("fc6"), pools[5], 1, 7, 0)}
	})
	return sides{dims[0][1], dims[1][1], dims[2][1]}
}

// Section 3.3, upsampling is backwards strided convolution: factor f, kernel 2f.
// In each net the factors multiply to the stride of 32.
func TestSection33Strides(t *testing.T) {
	for arch, want := range map[string]string{
		"fcn32s": "upscore:32",
		"fcn16s": "upscore2:2 upscore16:16",
		"fcn8s":  "upscore2:2 upscore_pool4:2 upscore8:8",
	} {
		product, got := 1, ""
		for _, up := range archs[arch] {
			product *= up.stride
			got += fmt.Sprintf(" %s:%d", up.name, up.stride)
		}
		require.Equal(t, want, got[1:])
		require.Equal(t, 32, product, arch)
	}
}

// Section 4.2, combining what and where: upsampling starts as bilinear
// interpolation. The values are those of the authors' surgery.upsample_filt.
func TestSection42BilinearKernel(t *testing.T) {
	for _, c := range []struct {
		k    int
		tent []float32
	}{
		{2, []float32{0.5, 0.5}},
		{3, []float32{0.5, 1, 0.5}},
		{4, []float32{0.25, 0.75, 0.75, 0.25}},
		{16, []float32{1. / 16, 3. / 16, 5. / 16, 7. / 16, 9. / 16, 11. / 16, 13. / 16, 15. / 16,
			15. / 16, 13. / 16, 11. / 16, 9. / 16, 7. / 16, 5. / 16, 3. / 16, 1. / 16}},
	} {
		kernel := bilinearKernel(c.k)
		require.Len(t, kernel, c.k)
		for i, row := range kernel {
			require.Len(t, row, c.k)
			for j, v := range row {
				require.Equal(t, c.tent[i]*c.tent[j], v, "kernel of %d at (%d,%d)", c.k, i, j)
			}
		}
	}
	// Each pixel of the result hears its neighbours with weights that sum to one.
	for _, stride := range []int{2, 4, 8, 16, 32} {
		kernel := bilinearKernel(2 * stride)
		for i := range stride {
			for j := range stride {
				sum := kernel[i][j] + kernel[i+stride][j] + kernel[i][j+stride] + kernel[i+stride][j+stride]
				require.InDelta(t, 1, sum, 1e-6)
			}
		}
	}
}

// Section 4.2: the skips are cropped to the size of the score, at the authors'
// offsets: 5 and 27 (16s), 5, 9 and 31 (8s), 19 (32s). They lie inside whatever the
// size of the image; if pooling rounded down, for many sizes they would not.
func TestSection42CropOffsets(t *testing.T) {
	for arch, want := range map[string][]int{"fcn32s": {19}, "fcn16s": {5, 27}, "fcn8s": {5, 9, 31}} {
		var got []int
		for _, up := range archs[arch] {
			got = append(got, up.crop)
		}
		require.Equal(t, want, got, arch)
	}
	misfits := func(halve func(int) int) (sizes int) {
		for side := 1; side <= 2099; side++ {
			if !cropsFit(side, paperSides(side, halve)) {
				sizes++
			}
		}
		return sizes
	}
	require.Equal(t, 0, misfits(ceilHalf))
	require.Equal(t, 786, misfits(floorHalf))

	// Before the last crop, on an image of 500.
	for arch, want := range map[string]int{"fcn32s": 544, "fcn16s": 560, "fcn8s": 568} {
		score := paperSides(500, ceilHalf).score
		for _, up := range archs[arch] {
			score = (score + 1) * up.stride
		}
		require.Equal(t, want, score, arch)
	}
}

// cropsFit tells whether all crops of all nets lie inside of what they cut from.
func cropsFit(side int, s sides) bool {
	for _, ups := range archs {
		score := s.score
		for _, up := range ups {
			score = (score + 1) * up.stride
			switch up.stage {
			case 4:
				if up.crop+score > s.pool4 {
					return false
				}
			case 3:
				if up.crop+score > s.pool3 {
					return false
				}
			default:
				if up.crop+side > score {
					return false
				}
			}
		}
	}
	return true
}

// The offsets are no free choice: they lay every upsampled pixel over those of the
// skip, and at last of the image, that it was computed from. The geometry "same"
// gets there without crops, by trimming.
func TestSection42Alignment(t *testing.T) {
	for _, geometry := range []string{Same, Paper} {
		for arch, ups := range archs {
			c := Config{Arch: arch, Geometry: geometry}
			// centre is where in the image the first pixel of each stage looks, step how
			// far from it the second. conv1_1's padding of 100 puts the first pixel at
			// -99; a pooled pixel lies between two.
			var centre [6]float64
			if geometry == Paper {
				centre[0] = -(paperPad - 1)
			}
			step := 1.0
			for s := 1; s <= 5; s++ {
				centre[s] = centre[s-1] + step/2
				step *= 2
			}
			at := centre[5]
			if geometry == Paper {
				at += 3 * step // fc6 is not padded
			}
			for _, up := range ups {
				// A pixel becomes 2s finer ones around it, and of the whole s/2 are trimmed.
				step /= float64(up.stride)
				at -= (float64(up.stride) - 0.5) * step
				if geometry == Same {
					at += float64(up.stride/2) * step
				}
				if up.skip != "" {
					require.Equal(t, centre[up.stage]+float64(c.cropOffset(up))*step, at, "%s %s: %s on %s", geometry, arch, up.name, up.skip)
				} else {
					require.Equal(t, 0.0, at+float64(c.cropOffset(up)), "%s %s: %s on the image", geometry, arch, up.name)
				}
			}
		}
	}
}

// Section 4.2: a finer net starts from the coarser one: all of the coarser net's
// layers but its last upsampling are in the finer one, with the same shapes, and
// new are only a score and the upsampling around it.
func TestSection42StagedNets(t *testing.T) {
	net := func(arch string) Config {
		c := paperNet(arch)
		c.Upsample = Depthwise
		return c
	}
	for _, c := range []struct{ coarse, fine, lost string }{
		{"fcn32s", "fcn16s", "upscore/weight"},
		{"fcn16s", "fcn8s", "upscore16/weight"},
	} {
		fine := map[string][]int{}
		for _, v := range net(c.fine).Variables() {
			fine[v.Path()] = v.Shape
		}
		for _, v := range net(c.coarse).Variables() {
			if v.Path() == c.lost {
				require.NotContains(t, fine, v.Path())
				continue
			}
			require.Equal(t, v.Shape, fine[v.Path()], "%s from %s to %s", v.Path(), c.coarse, c.fine)
		}
		require.Len(t, net(c.fine).Variables(), len(net(c.coarse).Variables())-1+4)
	}
}

// The authors' FCN-8s at once (PAMI 2017, section 4.2) multiplies pool4 by 0.01 and
// pool3 by 0.0001 before they are scored: with skip weights 100 and 10000 times as
// large it is the plain net.
func TestAtOnceScales(t *testing.T) {
	plain := Config{Arch: "fcn8s", Encoder: "vgg11", Classes: 3, Width: 2, Head: 3, Upsample: Learned, Geometry: Same}
	atOnce := plain
	atOnce.AtOnce = true
	want := newExperiment(t, device.Go, plain, 33, 40)
	got := newExperiment(t, device.Go, atOnce, 33, 40) // of the larger weights: see liveValues
	for i, v := range want.vars {
		expected := want.gradients[i]
		for k := range expected {
			switch v.Path() {
			case "score_pool4/weight":
				expected[k] *= 0.01
			case "score_pool3/weight":
				expected[k] *= 0.0001
			}
		}
		requireNear(t, expected, v.Shape, tensors.FromFlatDataAndDimensions(got.gradients[i], v.Shape...), 1e-9, v.Path())
	}
}
