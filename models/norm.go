package models

import (
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// PyTorch's defaults, so that weights and running averages mean the same there.
const (
	normEpsilon  = 1e-5
	normMomentum = 0.1
)

// batchNorm normalises the pixels x+before [N,H,W,C] by channel: in training, where the layer
// is not frozen, with the mean and the variance of the batch, which also move the running
// averages; else with these. before [C] is the bias of the convolution that x comes from.
func (p Pass) batchNorm(scope *model.Scope, layer string, x, before *graph.Node) *graph.Node {
	g, c := x.Graph(), x.Shape().Dim(-1)
	shape := shapes.Make(x.DType(), c)
	weight := scope.VariableWithShape("weight", shape).NodeValue(g)
	bias := scope.VariableWithShape("bias", shape).NodeValue(g)
	runningMean := scope.VariableWithShape("running_mean", shape).SetTrainable(false)
	runningVar := scope.VariableWithShape("running_var", shape).SetTrainable(false)

	if !p.Training || p.Frozen != nil && p.Frozen(layer) {
		scale := graph.Div(weight, sigma(runningVar.NodeValue(g)))
		shift := graph.Add(bias, graph.Mul(graph.Sub(before, runningMean.NodeValue(g)), scale))
		return graph.Add(graph.Mul(x, spread(scale, x)), spread(shift, x))
	}
	y, mean, variance := normalise(x, weight, bias) // the mean would take before away again: its gradient is zero
	if count := float64(x.Shape().Size() / c); !p.again {
		unbiased := graph.MulScalar(variance, count/max(count-1, 1))
		runningMean.SetNodeValue(average(runningMean.NodeValue(g), graph.Add(mean, before)))
		runningVar.SetNodeValue(average(runningVar.NodeValue(g), unbiased))
	}
	return y
}

// normalise is (x-mean)/sigma*weight+bias, with the mean [C] and the (biased) variance [C] of
// x [N,H,W,C] itself: batch norm in training (Ioffe and Szegedy 2015).
//
// The gradient is theirs in the form in which PyTorch computes it. graph.Gradient's goes back
// through the variance and the mean one by one, in twice as many passes over all pixels, and
// these are most of a narrow network's step on a CPU (docs/benchmarks.md).
func normalise(x, weight, bias *graph.Node) (y, mean, variance *graph.Node) {
	still := graph.StopGradient(x)
	count := float64(x.Shape().Size() / x.Shape().Dim(-1))
	mean = graph.DivScalar(sumPixels(still), count)
	centred := graph.Sub(still, spread(mean, x))
	variance = graph.DivScalar(sumPixels(graph.Square(centred)), count)
	s := sigma(variance)

	y = withGradient([]*graph.Node{x, weight, bias}, func(in []*graph.Node) *graph.Node {
		x, weight, bias := in[0], in[1], in[2]
		scale := graph.Div(weight, s)
		shift := graph.Sub(bias, graph.Mul(mean, scale))
		return graph.Add(graph.Mul(x, spread(scale, x)), spread(shift, x))
	}, func(dy *graph.Node) []*graph.Node {
		sum, product := sumPixels(dy), sumPixels(graph.Mul(dy, centred))
		// What dy has of a constant and of x is taken away, for neither changes y. To XLA a
		// division is dear: it does it once for all that needs dx.
		along := graph.Div(graph.DivScalar(product, count), graph.Square(s))
		dx := graph.Sub(graph.Sub(dy, spread(graph.DivScalar(sum, count), x)), graph.Mul(centred, spread(along, x)))
		dx = graph.Div(graph.Mul(dx, spread(weight, x)), spread(s, x))
		return []*graph.Node{dx, graph.Div(product, s), sum}
	})
	return y, mean, variance
}

func sigma(variance *graph.Node) *graph.Node {
	return graph.Sqrt(graph.AddScalar(variance, normEpsilon))
}

func average(running, batch *graph.Node) *graph.Node {
	return graph.StopGradient(graph.Add(graph.MulScalar(running, 1-normMomentum), graph.MulScalar(batch, normMomentum)))
}
