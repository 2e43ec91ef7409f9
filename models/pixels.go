package models

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Preprocess turns bytes into what the network was trained on.
type Preprocess struct {
	BGR       bool // channels in the order blue, green, red (Caffe's)
	Scale     float64
	Mean, Std [3]float64 // in the order of the channels
}

// Normalize turns images [N,H,W,3] uint8 RGB into float32 ((x*Scale)-Mean)/Std.
// sizes [N,2] int32 says how many rows and columns of each are image; the rest
// becomes zero, so that a batch's padding looks like the network's own.
func Normalize(images, sizes *graph.Node, p Preprocess) *graph.Node {
	g := images.Graph()
	n, h, w := images.Shape().Dim(0), images.Shape().Dim(1), images.Shape().Dim(2)
	if p.BGR {
		images = graph.Reverse(images, -1)
	}
	var scale, shift [3]float32
	for c := range 3 {
		scale[c] = float32(p.Scale / p.Std[c])
		shift[c] = float32(-p.Mean[c] / p.Std[c])
	}
	channels := func(v [3]float32) *graph.Node { return graph.Reshape(graph.Const(g, v[:]), 1, 1, 1, 3) }
	x := graph.ConvertDType(images, dtypes.Float32)
	x = graph.Add(graph.Mul(x, channels(scale)), channels(shift))

	inside := func(axis, column int) *graph.Node {
		shape := []int{1, 1, 1, 1}
		shape[axis] = images.Shape().Dim(axis)
		at := graph.Iota(g, shapes.Make(dtypes.Int32, shape...), axis)
		size := graph.Reshape(graph.Slice(sizes, graph.AxisRange(), graph.AxisElem(column)), n, 1, 1, 1)
		dims := []int{n, 1, 1, 1}
		dims[axis] = shape[axis]
		return graph.BroadcastToDims(graph.LessThan(graph.BroadcastToDims(at, dims...), graph.BroadcastToDims(size, dims...)), n, h, w, 3)
	}
	return graph.Where(graph.LogicalAnd(inside(1, 0), inside(2, 1)), x, graph.ZerosLike(x))
}

// ResizeLogits interpolates logits bilinearly to the labels' own sizes: sample n of
// logits [N,h,w,C], of which from[n] rows and columns are image, is stretched over
// the first to[n] rows and columns of [N,H,W,C]. from and to are [N,2] int32.
//
// It is PyTorch's interpolate(mode="bilinear", align_corners=False), written as two
// products with tent-shaped matrices, so that the sizes may differ from sample to
// sample while the compiled shape does not.
func ResizeLogits(logits, from, to *graph.Node, height, width int) *graph.Node {
	rows := tents(from, to, 0, logits.Shape().Dim(1), height)
	cols := tents(from, to, 1, logits.Shape().Dim(2), width)
	x := graph.Einsum("nHh,nhwc->nHwc", rows, logits)
	return graph.Einsum("nWw,nHwc->nHWc", cols, x)
}

// tents returns [N,big,small] whose row i holds the weights of the pixels from
// which pixel i of the result is interpolated.
func tents(from, to *graph.Node, column, small, big int) *graph.Node {
	g, n := from.Graph(), from.Shape().Dim(0)
	size := func(s *graph.Node) *graph.Node {
		s = graph.Reshape(graph.Slice(s, graph.AxisRange(), graph.AxisElem(column)), n, 1, 1)
		return graph.MaxScalar(graph.ConvertDType(s, dtypes.Float32), 1) // blank samples have size 0
	}
	one := graph.ScalarOne(g, dtypes.Float32)
	target := graph.Iota(g, shapes.Make(dtypes.Float32, n, big, 1), 1)
	source := graph.Sub(graph.Mul(graph.AddScalar(target, 0.5), graph.Div(size(from), size(to))), graph.Scalar(g, dtypes.Float32, 0.5))
	source = graph.Min(graph.MaxScalar(source, 0), graph.Sub(size(from), one))
	source = graph.BroadcastToDims(source, n, big, small)
	at := graph.Iota(g, shapes.Make(dtypes.Float32, n, big, small), 2)
	return graph.MaxScalar(graph.Sub(one, graph.Abs(graph.Sub(source, at))), 0)
}
