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

// batchNorm normalises x [N,H,W,C] by channel: in training, where the layer is not frozen,
// with the mean and the variance of the batch, which also move the running averages; else
// with these.
func (p Pass) batchNorm(scope *model.Scope, layer string, x *graph.Node) *graph.Node {
	training := p.Training && (p.Frozen == nil || !p.Frozen(layer))
	g, c := x.Graph(), x.Shape().Dim(-1)
	shape := shapes.Make(x.DType(), c)
	weight := scope.VariableWithShape("weight", shape).NodeValue(g)
	bias := scope.VariableWithShape("bias", shape).NodeValue(g)
	runningMean := scope.VariableWithShape("running_mean", shape).SetTrainable(false)
	runningVar := scope.VariableWithShape("running_var", shape).SetTrainable(false)

	mean, variance := runningMean.NodeValue(g), runningVar.NodeValue(g)
	if training {
		count := x.Shape().Size() / c
		mean = graph.DivScalar(sumPixels(x), float64(count))
		variance = graph.DivScalar(sumPixels(graph.Square(graph.Sub(x, spread(mean, x)))), float64(count))
		unbiased := graph.MulScalar(variance, float64(count)/float64(max(count-1, 1)))
		if !p.again {
			runningMean.SetNodeValue(average(runningMean.NodeValue(g), mean))
			runningVar.SetNodeValue(average(runningVar.NodeValue(g), unbiased))
		}
	}
	scale := graph.Mul(weight, graph.Reciprocal(graph.Sqrt(graph.AddScalar(variance, normEpsilon))))
	shift := graph.Sub(bias, graph.Mul(mean, scale))
	return graph.Add(graph.Mul(x, spread(scale, x)), spread(shift, x))
}

func average(running, batch *graph.Node) *graph.Node {
	return graph.StopGradient(graph.Add(graph.MulScalar(running, 1-normMomentum), graph.MulScalar(batch, normMomentum)))
}
