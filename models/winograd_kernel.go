package models

import "github.com/gomlx/gomlx/core/graph"

// winogradKernelChannels and winogradKernelPixels are from how many channels on, going in and
// coming out, and pixels [N,H,W] the kernel's gradient is Winograd's: with fewer, its sums
// take as long on a CPU as the products that they save (docs/benchmarks.md).
const (
	winogradKernelChannels = 32
	winogradKernelPixels   = 500
)

// G and A' of Winograd's F(3,4) in one dimension: three neighbouring outputs of a convolution with
// four taps. It has the six points of F(4,3), and so its B', which is winogradInput. Lavin and Gray
// (section 4.2) have the kernel's gradient from F(3,2) in two dimensions.
var (
	winogradKernelG = [][]float64{
		{1. / 4, 0, 0, 0},
		{-1. / 6, -1. / 6, -1. / 6, -1. / 6},
		{-1. / 6, 1. / 6, -1. / 6, 1. / 6},
		{1. / 24, 1. / 12, 1. / 6, 1. / 3},
		{1. / 24, -1. / 12, 1. / 6, -1. / 3},
		{0, 0, 0, 1},
	}
	winogradKernelA = [][]float64{
		{1, 1, 1, 1, 1, 0},
		{0, 1, -1, 2, -2, 0},
		{0, 1, 1, 4, 4, 1},
	}
)

// winogradKernelGradient is the gradient [3,3,in,out] of the kernel of a 3x3 convolution of
// x [N,H,W,in] with a border of zeros, where dy [N,H,W,out] is that of its result.
//
// A number of it is the sum, over all pixels, of dy times what the number was multiplied by. For four
// neighbours in a row of pixels the three numbers of a row of the kernel are a convolution of six
// columns of x with four of dy, which Winograd's F(3,4) does with six products where there are twelve.
// Products of all tiles and images are added up by a convolution whose window is all of dy,
// with x's channels for its images and images for its channels, as XLA does it for a plain gradient.
//
// So x is turned around. In one go XLA's CPU would fetch each line of memory anew for each of
// the channels in it; it is turned row by row, where lines stay in the cache, and then the rows
// are put in order.
func winogradKernelGradient(x, dy *graph.Node) *graph.Node {
	w := x.Shape().Dim(2)
	x, tiles := padTiles(x)
	x = once(graph.TransposeAllAxes(x, 1, 3, 2, 0), dy) // [H+2,in,W,N]
	columns := tileColumns(graph.TransposeAllAxes(x, 1, 0, 2, 3), 6)
	fourDy := tileColumns(padAxis(dy, 2, 0, 4*tiles-w), 4)

	var products, rows []*graph.Node
	windows := weighAll(fourDy, winogradKernelG, dy)
	for i, inputs := range weighAll(columns, winogradInput, dy) {
		window := graph.TransposeAllAxes(windows[i], 1, 2, 0, 3)
		products = append(products, graph.Convolve(inputs, window).NoPadding().Done()) // [in,3,1,out]
	}
	for _, row := range winogradKernelA {
		rows = append(rows, weigh(products, row, nil))
	}
	return graph.TransposeAllAxes(graph.Concatenate(rows, 2), 1, 2, 0, 3)
}
