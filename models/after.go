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

// once is x, computed once and after y. XLA's fusions compute again what is cheap in all that
// read it; a division it takes for dear, and for what is read by several makes it once. It takes a division by a
// constant away, and makes one by the same number everywhere a product; so x is divided by 1
// or, where it is below zero, by 1 plus zero times the first number of y. Where y begins
// with NaN or Inf, what is below zero becomes NaN, and the rest stays.
func once(x, y *graph.Node) *graph.Node {
	g, dtype := x.Graph(), x.DType()
	one := After(graph.ScalarOne(g, dtype), y)
	below := graph.LessThan(x, graph.ScalarZero(g, dtype))
	return graph.Div(x, graph.Where(below, graph.BroadcastToDims(one, x.Shape().Dimensions...), graph.OnesLike(x)))
}
