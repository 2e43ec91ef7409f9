package models

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// crop cuts the h by w window out of x [N,H,W,C] whose first pixel is (top, left).
func crop(x *graph.Node, top, left, h, w int) *graph.Node {
	if x.Shape().Dim(1) == h && x.Shape().Dim(2) == w {
		return x
	}
	return graph.Slice(x, graph.AxisRange(), graph.AxisRange(top, top+h), graph.AxisRange(left, left+w), graph.AxisRange())
}

// spread repeats v [C] for every pixel of x [N,H,W,C].
func spread(v, x *graph.Node) *graph.Node {
	return withGradient([]*graph.Node{v}, func(in []*graph.Node) *graph.Node {
		return graph.BroadcastToDims(graph.Reshape(in[0], 1, 1, 1, v.Shape().Dim(0)), x.Shape().Dimensions...)
	}, func(dy *graph.Node) []*graph.Node {
		return []*graph.Node{sumPixels(dy)}
	})
}

// sumPixels sums x [N,H,W,C] over all pixels. First a few rows at a time are added, by which
// what XLA computes of x only to have it summed is not written down; the rest is a product
// with ones, row by row, which XLA's CPU does three times as fast as a reduction
// (docs/benchmarks.md), and which keeps the digits.
func sumPixels(x *graph.Node) *graph.Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	few := 16
	for h%few > 0 { // of one image, which is on one device
		few /= 2
	}
	rows := n * h / few
	x = graph.ReduceSum(graph.Reshape(x, rows, few, w*c), 1)
	ones := graph.Ones(x.Graph(), shapes.Make(x.DType(), rows, 1, w))
	x = graph.EinsumAxes(ones, graph.Reshape(x, rows, w, c), [][2]int{{2, 1}}, [][2]int{{0, 0}})
	return graph.ReduceSum(x, 0, 1)
}

// relu passes no gradient where x is zero, as PyTorch's does; that of graph.Max would. NaN
// stays NaN: a network that broke must not compute on as if it were a dead one.
func relu(x *graph.Node) *graph.Node {
	return withGradient([]*graph.Node{x}, func(in []*graph.Node) *graph.Node {
		return graph.MaxScalar(in[0], 0)
	}, func(dy *graph.Node) []*graph.Node {
		return []*graph.Node{graph.Where(graph.LessOrEqual(x, graph.ScalarZero(x.Graph(), x.DType())), graph.ZerosLike(dy), dy)}
	})
}

// dropout zeroes each element with probability p in training and scales the rest
// by 1/(1-p). It returns the random state to go on with.
func dropout(x *graph.Node, p float64, pass Pass) (y, rng *graph.Node) {
	if !pass.Training || p == 0 {
		return x, pass.RNG
	}
	rng, uniform := graph.RandomUniform(pass.RNG, shapes.Make(dtypes.Float32, x.Shape().Dimensions...))
	keep := graph.GreaterOrEqual(uniform, graph.Scalar(x.Graph(), dtypes.Float32, p))
	return graph.Where(keep, graph.MulScalar(x, 1/(1-p)), graph.ZerosLike(x)), rng
}

// padAround puts pad rows and columns of zeros on all four sides of x [N,H,W,C].
func padAround(x *graph.Node, pad int) *graph.Node {
	return padSides(x, pad, pad, pad, pad)
}

func padRightBelow(x *graph.Node, rows, cols int) *graph.Node {
	return padSides(x, 0, rows, 0, cols)
}

// padSides adds zeros by concatenation: GoMLX's Pad has no gradient.
func padSides(x *graph.Node, top, bottom, left, right int) *graph.Node {
	x = padAxis(x, 1, top, bottom)
	return padAxis(x, 2, left, right)
}

func padAxis(x *graph.Node, axis, before, after int) *graph.Node {
	zeros := func(n int) *graph.Node {
		shape := x.Shape().Clone()
		shape.Dimensions[axis] = n
		return graph.Zeros(x.Graph(), shape)
	}
	parts := []*graph.Node{x}
	if before > 0 {
		parts = []*graph.Node{zeros(before), x}
	}
	if after > 0 {
		parts = append(parts, zeros(after))
	}
	if len(parts) == 1 {
		return x
	}
	return graph.Concatenate(parts, axis)
}
