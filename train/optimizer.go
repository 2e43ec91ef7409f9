package train

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/fcnx/fcnx/models"
)

// learner is a variable that an optimiser moves.
type learner struct {
	variable *model.Variable
	spec     models.Variable
	group    group
	grad     *graph.Node
}

// update adds to a graph the step that cfg describes: it moves each learner along
// its gradient at the rate lr, a float32 scalar, and returns the L2 norm of all
// gradients, as it was before clipping, or nil where nobody asked for clipping.
func update(store *model.Store, cfg TrainConfig, learners []learner, lr *graph.Node) (gradNorm *graph.Node) {
	if cfg.Clip > 0 {
		gradNorm = clip(learners, cfg.Clip)
	}
	if cfg.Optimizer == "adamw" {
		adamW(store, learners, lr)
	} else {
		sgd(store, cfg, learners, lr)
	}
	return gradNorm
}

// clip scales all gradients by one factor, so that their common L2 norm is at most
// limit (PyTorch's clip_grad_norm_).
func clip(learners []learner, limit float64) (norm *graph.Node) {
	var squares *graph.Node
	for _, l := range learners {
		sum := graph.ReduceAllSum(graph.Square(l.grad))
		if squares == nil {
			squares = sum
		} else {
			squares = graph.Add(squares, sum)
		}
	}
	norm = graph.Sqrt(squares)
	factor := graph.MinScalar(graph.Div(graph.Scalar(norm.Graph(), dtypes.Float32, limit), graph.AddScalar(norm, 1e-6)), 1)
	for i := range learners {
		learners[i].grad = graph.Mul(learners[i].grad, factor)
	}
	return norm
}

// sgd is stochastic gradient descent with momentum, as PyTorch writes it:
//
//	g = gradient + decay*w;  v = momentum*v + g;  w = w - rate*v
//
// and with Nesterov's momentum w = w - rate*(g + momentum*v). Caffe multiplies by
// the rate before it adds to v, which is the same while the rate does not change.
func sgd(store *model.Store, cfg TrainConfig, learners []learner, lr *graph.Node) {
	g := lr.Graph()
	for _, l := range learners {
		w := l.variable.NodeValue(g)
		step := l.grad
		if l.group.decay > 0 {
			step = graph.Add(step, graph.MulScalar(w, l.group.decay))
		}
		if cfg.Momentum > 0 {
			slot := store.VariableWithShape("/sgd/"+l.spec.Path(), l.variable.Shape(), graph.Zeros).SetTrainable(false)
			v := graph.Add(graph.MulScalar(slot.NodeValue(g), cfg.Momentum), step)
			slot.SetNodeValue(v)
			if cfg.Nesterov {
				step = graph.Add(step, graph.MulScalar(v, cfg.Momentum))
			} else {
				step = v
			}
		}
		l.variable.SetNodeValue(graph.Sub(w, graph.Mul(graph.MulScalar(lr, l.group.rate), step)))
	}
}

// adamW is GoMLX's Adam with the decay decoupled (Loshchilov and Hutter 2019) and
// applied here, because GoMLX decays every variable alike: a group's decay and its
// multiple of the rate are its own.
func adamW(store *model.Store, learners []learner, lr *graph.Node) {
	g, scope := lr.Graph(), store.RootScope()

	// Adam moves all trainable variables of the store, in the store's order, and
	// takes its rate from a variable of its own.
	moved := make(map[*model.Variable]learner, len(learners))
	before := make(map[*model.Variable]*graph.Node, len(learners))
	for _, l := range learners {
		moved[l.variable], before[l.variable] = l, l.variable.NodeValue(g)
	}
	var grads []*graph.Node
	for v := range store.IterVariables() {
		l, ok := moved[v]
		v.SetTrainable(ok)
		if ok {
			grads = append(grads, l.grad)
		}
	}
	optimizer.LearningRateVar(scope, dtypes.Float32, 0).SetNodeValue(lr)
	adam := optimizer.Adam().LearningRate(0).Betas(0.9, 0.999).Epsilon(1e-8).WeightDecay(0).Done()
	adam.(interface {
		UpdateGraphWithGradients(*model.Scope, []*graph.Node, dtypes.DType)
	}).UpdateGraphWithGradients(scope, grads, dtypes.Float32)

	for _, l := range learners {
		w := before[l.variable]
		step := graph.Sub(l.variable.NodeValue(g), w)
		if l.group.decay > 0 {
			step = graph.Sub(step, graph.Mul(lr, graph.MulScalar(w, l.group.decay)))
		}
		l.variable.SetNodeValue(graph.Add(w, graph.MulScalar(step, l.group.rate)))
	}
}
