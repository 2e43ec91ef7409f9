package models

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// maxPool halves height and width of x [N,H,W,C], which comes out of a relu. An
// odd last row or column is dropped, or in ceil mode pooled alone.
//
// The largest of a window's four pixels is found by comparing strided views of
// the whole: where several are equal (flat image regions make that common) the
// gradient goes to the first, as in PyTorch, while GoMLX's ReduceMax would send
// it to each of them. Where a window has NaN it goes to one of the four.
func maxPool(x *graph.Node, ceil bool) *graph.Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	if ceil {
		x = padRightBelow(x, h%2, w%2) // zeros are no larger than what a relu gives
	} else if h%2+w%2 > 0 {
		x = crop(x, 0, 0, h-h%2, w-w%2)
	}
	h, w = x.Shape().Dim(1)/2, x.Shape().Dim(2)/2

	var windows [4]*graph.Node
	var above, below *graph.Node // the larger of two
	return withGradient([]*graph.Node{x}, func(in []*graph.Node) *graph.Node {
		x := graph.Reshape(in[0], n, h, 2, w, 2, c)
		for i := range windows {
			windows[i] = graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisElem(i/2), graph.AxisRange(), graph.AxisElem(i%2), graph.AxisRange())
		}
		above, below = graph.Max(windows[0], windows[1]), graph.Max(windows[2], windows[3])
		return graph.Reshape(graph.Max(above, below), n, h, w, c)
	}, func(dy *graph.Node) []*graph.Node {
		// The gradients of four views would be four tensors of x's size, mostly zeros, which
		// everything that needs their sum reads all over again.
		g, all := x.Graph(), []int{n, h, 2, w, 2, c}
		number := func(i int) *graph.Node {
			return graph.BroadcastToDims(graph.Scalar(g, dtypes.Int8, i), n, h, 1, w, 1, c)
		}
		// The windows are compared with each other, and not with the result: XLA computes
		// them once more here, and may round otherwise.
		first := func(i int) *graph.Node {
			return graph.Where(graph.GreaterThan(windows[i+1], windows[i]), number(i+1), number(i))
		}
		largest := graph.Where(graph.GreaterThan(below, above), first(2), first(0))
		row := graph.Iota(g, shapes.Make(dtypes.Int8, 1, 1, 2, 1, 2, 1), 2)
		col := graph.Iota(g, shapes.Make(dtypes.Int8, 1, 1, 2, 1, 2, 1), 4)
		at := graph.BroadcastToDims(graph.Add(graph.Add(row, row), col), all...)
		dy = graph.BroadcastToDims(graph.Reshape(dy, n, h, 1, w, 1, c), all...)
		dx := graph.Where(graph.Equal(at, graph.BroadcastToDims(largest, all...)), dy, graph.ZerosLike(dy))
		return []*graph.Node{graph.Reshape(dx, n, 2*h, 2*w, c)}
	})
}
