package models

import (
	"github.com/gomlx/gomlx/core/graph"
)

// winogradChannels is from how many channels on, going in and coming out, XLA's transforms
// on a CPU cost less than the products that they save (docs/benchmarks.md).
const winogradChannels = 64

// winogradPixels is from how many pixels [N,H,W] on the gradient by them is Winograd's: with
// fewer, turning and transforming the kernels takes as long as it saves.
const winogradPixels = 3000

// The matrices of Winograd's F(4,3) in one dimension (Lavin and Gray, Fast Algorithms
// for Convolutional Neural Networks, 2016, section 4.3): four neighbouring outputs of a
// convolution with three taps g, from six inputs d, are A'((Gg) * (B'd)), with six products where
// there were twelve.
var (
	winogradInput = [][]float64{ // B'
		{4, 0, -5, 0, 1, 0},
		{0, -4, -4, 1, 1, 0},
		{0, 4, -4, -1, 1, 0},
		{0, -2, -1, 2, 1, 0},
		{0, 2, -1, -2, 1, 0},
		{0, 4, 0, -5, 0, 1},
	}
	winogradKernel = [][]float64{ // G
		{1. / 4, 0, 0},
		{-1. / 6, -1. / 6, -1. / 6},
		{-1. / 6, 1. / 6, -1. / 6},
		{1. / 24, 1. / 12, 1. / 6},
		{1. / 24, -1. / 12, 1. / 6},
		{0, 0, 1},
	}
	winogradOutput = [][]float64{ // A'
		{1, 1, 1, 1, 1, 0},
		{0, 1, -1, 2, -2, 0},
		{0, 1, 1, 4, 4, 0},
		{0, 1, -1, 8, -8, 1},
	}
)

// winograd tells whether convolutions of x may be winograd's. In bfloat16 they are not: the
// eight bits that it has are too few for the sums and differences of neighbours that Winograd
// multiplies, and what multiplies bfloat16 fast does so without him. Nor are they where
// activations are computed again to save memory, which Winograd's products take.
func (p Pass) winograd(x *graph.Node) bool {
	return p.Winograd && p.Recomputed == nil && !x.DType().IsHalfPrecision()
}

// winograd is the 3x3 convolution of x [N,H,W,in] with kernel [3,3,in,out] and a border
// of zeros: [N,H,W,out]. The three taps of a row of the kernel are Winograd's F(4,3), the
// three rows a convolution, of which there are six with half the multiplications in all. In
// both dimensions it would be a quarter, with transforms that take as long as they save, or
// take XLA minutes to compile. The result differs from that of a plain convolution by some 2e-6 of
// the largest value.
func winograd(x, kernel *graph.Node) *graph.Node {
	n, h, w := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	x, tiles := padTiles(x)
	columns := tileColumns(x, 6)
	var taps []*graph.Node
	for j := range 3 {
		taps = append(taps, graph.Slice(kernel, graph.AxisRange(), graph.AxisElem(j), graph.AxisRange(), graph.AxisRange()))
	}
	var products, outputs []*graph.Node
	kernels := weighAll(taps, winogradKernel, kernel)
	for i, inputs := range weighAll(columns, winogradInput, kernel) {
		products = append(products, graph.Convolve(inputs, kernels[i]).NoPadding().Done())
	}
	for _, row := range winogradOutput {
		outputs = append(outputs, graph.InsertAxes(weigh(products, row, nil), 3))
	}
	y := graph.Reshape(graph.Concatenate(outputs, 3), n, h, 4*tiles, kernel.Shape().Dim(3))
	return crop(y, 0, 0, h, w)
}

// winogradBack is the gradient of winograd's x, by the kernel turned around.
func winogradBack(dy, kernel *graph.Node) *graph.Node {
	return winograd(dy, graph.TransposeAllAxes(graph.Reverse(kernel, 0, 1), 0, 1, 3, 2))
}

// padTiles puts a border of zeros around x [N,H,W,C], on the right up to where the last of
// T tiles of six columns ends, of which one begins at every fourth pixel: [N,H+2,4*(T+1),C].
func padTiles(x *graph.Node) (padded *graph.Node, tiles int) {
	w := x.Shape().Dim(2)
	tiles = (w + 3) / 4
	return padSides(x, 1, 1, 1, 4*(tiles+1)-w-1), tiles
}

// tileColumns are the columns of all tiles of x [A,B,4*F,D], first to last, each [A,B,T,D]. A tile
// begins at every fourth column and may reach into the four of the next one: there are F tiles
// of four columns, and F-1 of six.
func tileColumns(x *graph.Node, columns int) []*graph.Node {
	a, b, fours, d := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)/4, x.Shape().Dim(3)
	tiles := fours - (columns-1)/4
	x = graph.Reshape(x, a, b, fours, 4, d)
	var all []*graph.Node
	for j := range columns {
		column := graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(j/4, j/4+tiles), graph.AxisElem(j%4), graph.AxisRange())
		all = append(all, graph.Reshape(column, a, b, tiles, d))
	}
	return all
}
