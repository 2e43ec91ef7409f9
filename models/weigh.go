package models

import (
	"github.com/gomlx/gomlx/core/graph"
)

// weigh is the sum of nodes of one shape, each times its weight; those of weight zero
// are left out. With y the weights wait for it ([After]), so XLA does not know them when it compiles. Each sum has
// a constant of its own for them: of one for several each would read another place, and be another program.
func weigh(nodes []*graph.Node, weights []float64, y *graph.Node) *graph.Node {
	var unknown, sum *graph.Node
	if y != nil {
		unknown = After(graph.ConvertDType(graph.Const(y.Graph(), weights), nodes[0].DType()), y)
	}
	for i, weight := range weights {
		term := nodes[i]
		switch {
		case weight == 0:
			continue
		case unknown != nil:
			term = graph.Mul(term, graph.Reshape(graph.Slice(unknown, graph.AxisElem(i))))
		case weight != 1:
			term = graph.MulScalar(term, weight)
		}
		if sum == nil {
			sum = term
		} else {
			sum = graph.Add(sum, term)
		}
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
			sums = append(sums, weigh(nodes, weights, y))
		} else {
			sums = append(sums, weigh(nodes, weights, nil))
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
