package models

import (
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"
)

// The gradient that was given takes the place of the true one, for each input, and goes on
// to what these are made of; where y is used twice it gets the sum.
func TestWithGradient(t *testing.T) {
	for _, backend := range bothBackends {
		t.Run(backend, func(t *testing.T) {
			got := run(t, Backend(t, backend), func(in []*graph.Node) []*graph.Node {
				a, b := graph.MulScalar(in[0], 10), in[1]
				y := withGradient([]*graph.Node{a, b}, func(in []*graph.Node) *graph.Node {
					return graph.Mul(in[0], in[1])
				}, func(dy *graph.Node) []*graph.Node {
					return []*graph.Node{graph.MulScalar(dy, 2), graph.MulScalar(dy, 3)}
				})
				loss := graph.ReduceAllSum(graph.Add(y, graph.MulScalar(y, 4)))
				out := append([]*graph.Node{y}, graph.Gradient(loss, in[0], in[1])...)
				return append(out, graph.Gradient(graph.ReduceAllSum(y), in[1])[0]) // once more, and of one input
			}, []float64{1, 2}, []float64{3, 4})
			require.Equal(t, []float64{30, 80}, toFloats(got[0]))
			require.Equal(t, []float64{100, 100}, toFloats(got[1]))
			require.Equal(t, []float64{15, 15}, toFloats(got[2]))
			require.Equal(t, []float64{3, 3}, toFloats(got[3]))
		})
	}
}
