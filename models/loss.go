package models

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// ignore is the label of pixels that neither train nor score.
const ignore = 255

// CrossEntropy returns two scalars: the sum over labelled pixels of
// weight * -log softmax(logits)[label], and the sum of the weights of these
// pixels. Their quotient is the mean loss (PyTorch's weighted mean), the first
// alone the sum of the paper.
//
// logits are [N,H,W,C]; labels [N,H,W] uint8, 255 for none; classWeights [C] or
// nil for ones. Nothing of size [N,H,W,C] is kept but what the gradient needs:
// the label is compared with the class index where it is used, never spread out.
func CrossEntropy(logits, labels, classWeights *graph.Node) (sum, weight *graph.Node) {
	g := logits.Graph()
	n, h, w, c := logits.Shape().Dim(0), logits.Shape().Dim(1), logits.Shape().Dim(2), logits.Shape().Dim(3)
	labels.AssertDims(n, h, w)
	if logits.DType().IsHalfPrecision() {
		logits = graph.ConvertDType(logits, dtypes.Float32) // a sum over a million pixels needs it
	}
	index := graph.ConvertDType(labels, dtypes.Int32)
	chosen := graph.Equal(graph.Iota(g, shapes.Make(dtypes.Int32, n, h, w, c), 3),
		graph.BroadcastToDims(graph.InsertAxes(index, -1), n, h, w, c))

	peak := graph.StopGradient(graph.InsertAxes(graph.ReduceMax(logits, -1), -1))
	z := graph.Sub(logits, peak)
	logSum := graph.Log(graph.ReduceSum(graph.Exp(z), -1))
	picked := graph.ReduceSum(graph.Where(chosen, z, graph.ZerosLike(z)), -1)
	loss := graph.Sub(logSum, picked)

	labelled := graph.NotEqual(index, graph.Scalar(g, dtypes.Int32, ignore))
	pixelWeight := graph.ConvertDType(labelled, logits.DType())
	if classWeights != nil {
		classWeights.AssertDims(c)
		weights := graph.ConvertDType(classWeights, logits.DType())
		weights = graph.BroadcastToDims(graph.Reshape(weights, 1, 1, 1, c), n, h, w, c)
		pixelWeight = graph.ReduceSum(graph.Where(chosen, weights, graph.ZerosLike(weights)), -1)
	}
	return graph.ReduceAllSum(graph.Mul(loss, pixelWeight)), graph.ReduceAllSum(pixelWeight)
}

// ConfusionCounts counts, over the labelled pixels, how often each class was taken
// for each: int64 [C,C], truth by row, prediction by column. It is what leaves the
// device in an evaluation; logits never do.
//
// masks are the classes that were taken, labels the true ones, both uint8 [N,H,W].
func ConfusionCounts(masks, labels *graph.Node, classes int) *graph.Node {
	g, c := masks.Graph(), classes
	masks.AssertDims(labels.Shape().Dimensions...)
	pixels := labels.Shape().Size()
	truth := graph.ConvertDType(graph.Reshape(labels, pixels), dtypes.Int32)
	predicted := graph.ConvertDType(graph.Reshape(masks, pixels), dtypes.Int32)

	// One bin a pair, and one more for whatever has no label.
	bin := graph.Add(graph.MulScalar(truth, c), predicted)
	bin = graph.Where(graph.LessThan(truth, graph.Scalar(g, dtypes.Int32, c)), bin, graph.Scalar(g, dtypes.Int32, c*c))
	counts := graph.Scatter(graph.Reshape(bin, pixels, 1), graph.Ones(g, shapes.Make(dtypes.Int32, pixels)),
		shapes.Make(dtypes.Int32, c*c+1), false, false)
	counts = graph.ConvertDType(graph.Slice(counts, graph.AxisRange(0, c*c)), dtypes.Int64)
	return graph.Reshape(counts, c, c)
}
