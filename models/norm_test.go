package models

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"
)

// The slow twin is the definition, with the gradient that graph.Gradient makes of it.
func TestNormaliseAgainstDefinition(t *testing.T) {
	for _, backend := range bothBackends {
		for _, size := range [][3]int{{1, 1, 1}, {2, 3, 5}, {1, 16, 4}, {2, 40, 3}} {
			t.Run(fmt.Sprintf("%s/%v", backend, size), func(t *testing.T) {
				const channels = 3
				rng := rand.New(rand.NewPCG(1, uint64(size[1])))
				x, dy := randomGrid(rng, size[0], size[1], size[2], channels), randomGrid(rng, size[0], size[1], size[2], channels)
				for i := range x.values {
					x.values[i] += 100 // the mean is far from zero, as after a bias
				}
				results := func(y, mean, variance *graph.Node, dy *graph.Node, by ...*graph.Node) []*graph.Node {
					return append([]*graph.Node{y, mean, variance}, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, dy)), by...)...)
				}
				got := run(t, Backend(t, backend), func(in []*graph.Node) []*graph.Node {
					x, dy, weight, bias := in[0], in[1], in[2], in[3]
					y, mean, variance := normalise(x, weight, bias)
					out := results(y, mean, variance, dy, x, weight, bias)

					slowMean := graph.ReduceMean(x, 0, 1, 2)
					centred := graph.Sub(x, graph.BroadcastToShape(graph.Reshape(slowMean, 1, 1, 1, channels), x.Shape()))
					slowVariance := graph.ReduceMean(graph.Square(centred), 0, 1, 2)
					wide := func(v *graph.Node) *graph.Node {
						return graph.BroadcastToShape(graph.Reshape(v, 1, 1, 1, channels), x.Shape())
					}
					slow := graph.Add(graph.Mul(graph.Div(centred, wide(sigma(slowVariance))), wide(weight)), wide(bias))
					return append(out, results(slow, slowMean, slowVariance, dy, x, weight, bias)...)
				}, x.tensor(), dy.tensor(), floats(rng, channels), floats(rng, channels))
				for i, what := range []string{"result", "mean", "variance", "gradient of the input", "of the weight", "of the bias"} {
					require.True(t, got[i].InDelta(got[6+i], 1e-9), what)
				}
			})
		}
	}
}

// A bias before a frozen batch norm has a gradient, for its mean is not the batch's; before
// another it has none.
func TestBiasBeforeBatchNorm(t *testing.T) {
	b, rng := Backend(t, bothBackends[0]), rand.New(rand.NewPCG(1, 2))
	x, dy, before := randomGrid(rng, 2, 3, 4, 2), randomGrid(rng, 2, 3, 4, 2), []float64{3, 4}
	sums := make([]float64, 2) // of dy, by channel
	for i, v := range dy.values {
		sums[i%2] += v
	}
	for _, frozen := range []bool{false, true} {
		store := model.NewStore()
		for name, values := range map[string][]float64{"weight": {2, 3}, "bias": {5, 6}, "running_mean": {7, 8}, "running_var": {3, 8}} {
			create(t, store, "/bn/"+name, values, []int{2})
		}
		pass := Pass{Training: true, Frozen: func(string) bool { return frozen }}
		got, err := model.CallOnce(b, store, func(s *model.Scope, x, dy, before *graph.Node) *graph.Node {
			return graph.Gradient(graph.ReduceAllSum(graph.Mul(pass.batchNorm(s.In("bn"), "bn", x, before), dy)), before)[0]
		}, x.tensor(), dy.tensor(), before)
		require.NoError(t, err)
		want := []float64{0, 0}
		if frozen { // weight/sqrt(variance) of it
			want = []float64{sums[0] * 2 / 1.7320537, sums[1] * 3 / 2.8284289}
		}
		require.InDeltaSlice(t, want, toFloats(got), 1e-5)
	}
}
