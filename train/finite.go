package train

import (
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// tiny scales numbers before they are summed up: 2^27 of them, the weights of the
// paper's nets, or 2^39, stay below the largest float32 then, whatever they are. So a sum
// of finite numbers is finite.
const tiny = 1. / (1 << 40)

// checksum is a number that is NaN or Inf exactly if a float32 variable that the
// graph changes is to hold one. Once update was called it is asked for.
//
// It reads every new weight once. That is the cheapest check that misses nothing
// (docs/divergence.md): NaN and Inf of a gradient are in the weight that it moved, and so
// are those of the slot between them.
func checksum(store *model.Store, g *graph.Graph) *graph.Node {
	var changed []*graph.Node
	for v := range store.IterVariables() {
		if v.ChangedInGraph(g) && v.DType() == dtypes.Float32 && !shownByWeight(v.Path()) {
			changed = append(changed, v.NodeValue(g))
		}
	}
	if len(changed) == 0 {
		return graph.ScalarZero(g, dtypes.Float32)
	}
	return tinySum(changed...)
}

// shownByWeight tells of an optimiser's slot whether NaN and Inf in it are always in
// the weight too. They are where the step is a multiple of the slot: also at a rate of
// zero, as 0 times Inf is NaN. Adam divides by its second moment, and Inf there is a
// step of zero.
func shownByWeight(path string) bool {
	return strings.HasPrefix(path, "/sgd/") || strings.HasSuffix(path, "_1st_moment")
}

// tinySum is what all rows of xs come to, without their signs. They are laid side by side
// first: a sum for each x would be two programs more for XLA to compile. Without Abs it
// sees that one sum of many is many sums, and compiles those.
func tinySum(xs ...*graph.Node) *graph.Node {
	rows := make([]*graph.Node, len(xs))
	for i, x := range xs {
		rows[i] = tinyRows(x)
	}
	return graph.ReduceAllSum(graph.Abs(graph.Concatenate(rows, 0)))
}

// tinyRows is a vector of what each row of x comes to, times tiny; of a vector or scalar
// it is the numbers. A product with a vector XLA's CPU does at the speed of memory; a
// reduction takes twice as long.
func tinyRows(x *graph.Node) *graph.Node {
	if x.Rank() < 2 {
		return graph.Reshape(graph.MulScalar(x, tiny), x.Shape().Size())
	}
	out := x.Shape().Dim(-1)
	vector := graph.MulScalar(graph.Ones(x.Graph(), shapes.Make(x.DType(), out)), tiny)
	return graph.Dot(graph.Reshape(x, x.Shape().Size()/out, out), vector).Product()
}
