package models

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// withGradient is y = forward(inputs), whose gradient by the inputs is backward(dy), one for
// each, of its shape, in place of what graph.Gradient makes of forward. forward may take no
// other node by which a gradient is wanted, and has to take all inputs: what comes back that
// way is not replaced.
//
// GoMLX knows custom gradients of the identity alone. So the inputs and y go through one
// each: the gradient comes to that behind y first, which keeps what backward makes of it for
// those before the inputs; what comes through forward meanwhile is dropped, and XLA leaves
// it out.
func withGradient(inputs []*graph.Node, forward func(inputs []*graph.Node) *graph.Node, backward func(dy *graph.Node) []*graph.Node) *graph.Node {
	var gradients []*graph.Node
	inner := make([]*graph.Node, len(inputs))
	for i, x := range inputs {
		inner[i] = graph.IdentityWithCustomGradient(x, func(_, _ *graph.Node) *graph.Node {
			if gradients == nil {
				panic(fmt.Errorf("models: a gradient by input %d of a custom gradient does not come from its result", i))
			}
			return gradients[i]
		})
	}
	return graph.IdentityWithCustomGradient(forward(inner), func(_, dy *graph.Node) *graph.Node {
		gradients = backward(dy)
		return dy
	})
}
