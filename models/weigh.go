package models

import (
	"github.com/gomlx/gomlx/core/graph"
)

// weigh is the sum of nodes of one shape, each times its weight; those of weight zero
// are left out.
func weigh(nodes []*graph.Node, weights []float64) *graph.Node {
	var sum *graph.Node
	for i, weight := range weights {
		if weight == 0 {
			continue
		}
		term := nodes[i]
		if weight != 1 {
			term = graph.MulScalar(term, weight)
		}
		sum = plus(sum, term)
	}
	return sum
}

// weighAll is the sum of nodes by each row of weights, as [weigh] has it. XLA's CPU compiles a program
// for every sum, in 10 to 20 ms, and takes one for all that differ in nothing but where they
// read and write. So sums of the same nodes get weights that it cannot know when it compiles: they
// come with y ([After]), which must not depend on the nodes and is wanted beside them anyway. FCN-8s VGG16
// has 72 programs fewer for it, of 449, and its steps take as long (docs/benchmarks.md). Where y begins with
// NaN or Inf, so are these sums NaN.
func weighAll(nodes []*graph.Node, rows [][]float64, y *graph.Node) []*graph.Node {
	times := map[uint64]int{} // that a sum is of these nodes
	for _, weights := range rows {
		times[nonzero(weights)]++
	}
	var sums []*graph.Node
	for _, weights := range rows {
		if times[nonzero(weights)] > 1 {
			sums = append(sums, weighUnknown(nodes, weights, y))
		} else {
			sums = append(sums, weigh(nodes, weights))
		}
	}
	return sums
}

// nonzero has a bit for each weight that is not zero.
func nonzero(weights []float64) (bits uint64) {
	for i, weight := range weights {
		if weight != 0 {
			bits |= 1 << i
		}
	}
	return bits
}

// weighUnknown is weigh by weights that XLA does not know when it compiles. Each sum has a constant of its own
// for them: of one for all rows each would read another place, and be another program.
func weighUnknown(nodes []*graph.Node, weights []float64, y *graph.Node) *graph.Node {
	g, dtype := nodes[0].Graph(), nodes[0].DType()
	unknown := After(graph.ConvertDType(graph.Const(g, weights), dtype), y)
	var sum *graph.Node
	for i, weight := range weights {
		if weight != 0 {
			factor := graph.Reshape(graph.Slice(unknown, graph.AxisElem(i)))
			sum = plus(sum, graph.Mul(nodes[i], factor))
		}
	}
	return sum
}

// plus is sum and term, or term alone where there is no sum yet.
func plus(sum, term *graph.Node) *graph.Node {
	if sum == nil {
		return term
	}
	return graph.Add(sum, term)
}
