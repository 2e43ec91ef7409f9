package train

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/models"
)

// stepGraph is one update: images to logits to loss to gradients to new weights.
// Its inputs are those of stepInputs; it returns the loss, the checksum of what it
// changes and, where gradients are clipped, their norm.
func (e *Engine) stepGraph(scope *model.Scope, in []*graph.Node) []*graph.Node {
	sum, weight, kept := e.forward(scope, in, nil)
	out := e.learn(e.loss(sum, weight), kept, in[3])
	e.beside.built(e.store)
	return out
}

// forward is the network in training with its loss: the summed loss and the summed
// weight, and what knows the way back. It shows tap the layers' outputs, if it is not nil.
func (e *Engine) forward(scope *model.Scope, in []*graph.Node, tap func(op string, output *graph.Node)) (sum, weight *graph.Node, kept *models.Recomputed) {
	if e.cfg.Recompute {
		kept = &models.Recomputed{}
	}
	images, sizes, labels, rng := in[0], in[1], in[2], in[4]
	logits := e.net.Logits(scope, models.Normalize(images, sizes, e.pre),
		models.Pass{Training: true, RNG: rng, Frozen: e.cfg.frozenLayers(e.net.Variables()), Recomputed: kept, Tap: tap, Winograd: e.winograd, DType: computeDType(e.cfg.Precision)})
	sum, weight = models.CrossEntropy(logits, labels, e.classWeights(images))
	return sum, weight, kept
}

// learn moves every variable that learns, at the rate lr, so that loss falls. It
// returns what stepGraph does.
func (e *Engine) learn(loss *graph.Node, kept *models.Recomputed, lr *graph.Node) []*graph.Node {
	learners := e.learners(loss, kept)
	inTurn(learners)
	return e.move(loss, learners, lr)
}

// move moves every learner along its gradient of loss, at the rate lr. It returns what
// stepGraph does.
func (e *Engine) move(loss *graph.Node, learners []learner, lr *graph.Node) []*graph.Node {
	norm := update(e.store, e.cfg, learners, lr)
	e.overwrite(loss.Graph())
	out := []*graph.Node{loss, checksum(e.store, loss.Graph())}
	if norm != nil {
		out = append(out, norm)
	}
	return out
}

// overwrite has all variables that the graph changes written over where they are.
func (e *Engine) overwrite(g *graph.Graph) {
	for v := range e.store.IterVariables() {
		if v.ChangedInGraph(g) {
			donate(g.GetParameterByName(v.Path()))
			e.debug.note(v)
		}
	}
}

// learners are the variables that learn, in the order of the network, with their
// gradients of loss.
func (e *Engine) learners(loss *graph.Node, kept *models.Recomputed) []learner {
	learners := e.learning()
	vars, values := make([]models.Variable, len(learners)), make([]*graph.Node, len(learners))
	for i, l := range learners {
		vars[i], values[i] = l.spec, l.variable.NodeValue(loss)
	}
	for i, grad := range kept.Gradient(loss, vars, values) {
		learners[i].grad = grad
	}
	return learners
}

// learning are learners without gradients.
func (e *Engine) learning() (learners []learner) {
	for _, spec := range e.net.Variables() {
		v := e.store.GetVariable("/" + spec.Path())
		group := e.cfg.groupOf(spec)
		v.SetTrainable(!group.frozen)
		if !group.frozen {
			learners = append(learners, learner{variable: v, spec: spec, group: group})
		}
	}
	return learners
}

// inTurn has each variable wait for the gradient of the one before it in the network.
//
// That gradient is computed from the weights of the layer above, and so before these may move
// where they are (donate). Without a word about it XLA's CPU moves them at any time,
// and hands the layer below a copy: 0.5 GB and a sixth of a step for FCN-8s VGG16. A gradient
// that begins with NaN or Inf so spoils one variable more ([models.After]): the step is lost
// anyway.
func inTurn(learners []learner) {
	grads := make([]*graph.Node, len(learners))
	for i, l := range learners {
		grads[i] = l.grad
	}
	for i := 1; i < len(learners); i++ {
		learners[i].grad = models.After(grads[i], grads[i-1])
	}
}

// evalGraph scores one batch at its labels' own size: the summed loss, the summed
// weight, the confusion counts, and the masks that were counted.
func (e *Engine) evalGraph(scope *model.Scope, in []*graph.Node) []*graph.Node {
	logits, labels := e.infer(scope, in), in[2]
	sum, weight := models.CrossEntropy(logits, labels, e.classWeights(logits))
	masks := mostLikely(logits)
	return []*graph.Node{sum, weight, models.ConfusionCounts(masks, labels, logits.Shape().Dim(-1)), masks}
}

// maskGraph gives the most likely class of each pixel, uint8 [N,LabelH,LabelW].
func (e *Engine) maskGraph(scope *model.Scope, in []*graph.Node) *graph.Node {
	return mostLikely(e.infer(scope, in))
}

// mostLikely turns [N,H,W,C] into the first of the highest classes, uint8 [N,H,W].
func mostLikely(logits *graph.Node) *graph.Node { return graph.ArgMax(logits, -1, dtypes.Uint8) }

// logitGraph gives the scores, float32 [N,C,LabelH,LabelW].
func (e *Engine) logitGraph(scope *model.Scope, in []*graph.Node) *graph.Node {
	return graph.TransposeAllAxes(e.infer(scope, in), 0, 3, 1, 2)
}

// infer runs the network as it is used, on inputs as of evalInputs: logits
// [N,LabelH,LabelW,C] at the labels' own size.
func (e *Engine) infer(scope *model.Scope, in []*graph.Node) *graph.Node {
	images, sizes, labels, labelSizes := in[0], in[1], in[2], in[3]
	logits := e.net.Logits(scope, models.Normalize(images, sizes, e.pre), models.Pass{Winograd: e.winograd, DType: computeDType(e.precision)})
	if !e.resized {
		labels.AssertDims(logits.Shape().Dimensions[:3]...)
		return logits
	}
	return models.ResizeLogits(logits, sizes, labelSizes, labels.Shape().Dim(1), labels.Shape().Dim(2))
}

// loss turns summed loss, or its gradient, and weight into what is minimised.
func (e *Engine) loss(sum, weight *graph.Node) *graph.Node {
	if e.cfg.Loss == "sum" {
		return sum
	}
	// A batch without a single labelled pixel teaches nothing, and is no NaN.
	return graph.Div(sum, graph.Where(graph.GreaterThan(weight, graph.ZerosLike(weight)), weight, graph.OnesLike(weight)))
}

func (e *Engine) classWeights(g graph.GraphProvider) *graph.Node {
	if len(e.cfg.ClassWeights) == 0 {
		return nil
	}
	weights := make([]float32, len(e.cfg.ClassWeights))
	for i, w := range e.cfg.ClassWeights {
		weights[i] = float32(w)
	}
	return graph.Const(g.Graph(), weights)
}
