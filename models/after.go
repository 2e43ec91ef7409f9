package models

import "github.com/gomlx/gomlx/core/graph"

// After is x, and waits for y: x plus zero times the first number of y, which XLA may not
// leave out, because y might begin with NaN or Inf. So it neither does before y what comes
// of the result, nor takes it for what comes of x. A barrier is no such word to XLA, which
// takes it away before it orders anything. Where y does begin so, all of x is NaN.
func After(x, y *graph.Node) *graph.Node {
	first := graph.Reshape(graph.Slice(graph.Reshape(y, y.Shape().Size()), graph.AxisRange(0, 1)))
	return graph.Add(x, graph.ConvertDType(graph.MulScalar(first, 0), x.DType()))
}
