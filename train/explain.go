package train

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
)

// place is a tensor of a step.
type place struct {
	name string // "it begins in conv1_2"
	size int
}

// contents are what a place holds.
type contents struct {
	nans, infs int64
	largest    float32 // magnitude of what is finite; 0 where nothing is
}

// probe collects, while a graph is built, the tensors that are looked at, in the order
// in which the step computes them.
type probe struct {
	places              []place
	nans, infs, largest []*graph.Node // [1] each
}

// look adds a tensor.
func (p *probe) look(x *graph.Node, format string, args ...any) {
	x = graph.ConvertDType(x, dtypes.Float32)
	count := func(which *graph.Node) *graph.Node {
		return graph.Reshape(graph.ReduceAllSum(graph.ConvertDType(which, dtypes.Int64)), 1)
	}
	nan, finite := graph.IsNaN(x), graph.IsFinite(x)
	p.places = append(p.places, place{fmt.Sprintf(format, args...), x.Shape().Size()})
	p.nans = append(p.nans, count(nan))
	p.infs = append(p.infs, count(graph.LogicalNot(graph.LogicalOr(nan, finite))))
	p.largest = append(p.largest, graph.Reshape(graph.ReduceAllMax(graph.Where(finite, graph.Abs(x), graph.ZerosLike(x))), 1))
}

// nodes are int64, int64 and float32 [places].
func (p *probe) nodes() []*graph.Node {
	return []*graph.Node{graph.Concatenate(p.nans, 0), graph.Concatenate(p.infs, 0), graph.Concatenate(p.largest, 0)}
}

// explain does the step on b, the at-th, again from the state before it, with every
// tensor in sight, and says where the first NaN or Inf is. What the variables hold
// afterwards is of no use.
func (e *Engine) explain(b *datasets.Batch, at int64, lr float64) (where string, err error) {
	if err := e.debug.restore(); err != nil {
		return "", err
	}
	var p *probe
	exec, err := model.NewExec(e.backend, e.store, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
		p = &probe{}
		e.probeStep(p, scope, in)
		return p.nodes()
	})
	if err != nil {
		return "", err
	}
	defer exec.Finalize()
	in, err := e.stepInputs(b, at, lr)
	if err != nil {
		return "", err
	}
	out, err := e.call(exec, in)
	if err != nil {
		return "", fmt.Errorf("looking for NaN in step %d: %w", at+1, err)
	}
	defer finalize(out)
	nans, infs, largest := tensors.MustCopyFlatData[int64](out[0]), tensors.MustCopyFlatData[int64](out[1]), tensors.MustCopyFlatData[float32](out[2])
	found := make([]contents, len(p.places))
	for i := range found {
		found[i] = contents{nans[i], infs[i], largest[i]}
	}
	return firstBad(p.places, found), nil
}

// probeStep is stepGraph with a probe in it.
func (e *Engine) probeStep(p *probe, scope *model.Scope, in []*graph.Node) {
	sum, weight := e.forward(scope, in, func(op string, output *graph.Node) { p.look(output, "it begins in the output of %s", op) })
	loss := e.loss(sum, weight)
	const inLoss = "every layer's output is finite, and it begins in the "
	p.look(weight, inLoss+"sum of the pixels' weights (train.class_weights)")
	p.look(sum, inLoss+"loss, summed over the pixels")
	p.look(loss, inLoss+"loss")
	learners := e.learners(loss)
	for _, l := range slices.Backward(learners) {
		p.look(l.grad, "the loss is finite, and it begins in the gradient of %s", l.spec.Path())
	}
	update(e.store, e.cfg, learners, in[3])
	for v := range e.store.IterVariables() {
		if v.ChangedInGraph(loss.Graph()) {
			p.look(v.NodeValue(loss), "every gradient is finite, and it begins in the new value of %s", v.Path()[1:])
		}
	}
}

// firstBad says which place is the first with NaN or Inf, and what it holds.
func firstBad(places []place, found []contents) string {
	for i, c := range found {
		name, size := places[i].name, places[i].size
		switch {
		case c.nans+c.infs == 0:
		case size == 1 && c.nans > 0:
			return name + ", which is NaN"
		case size == 1:
			return name + ", which is Inf"
		default:
			return fmt.Sprintf("%s: of %d values %d are NaN and %d Inf, and the largest finite magnitude is %.3g", name, size, c.nans, c.infs, c.largest)
		}
	}
	return "done again with every layer in sight the step gave no NaN or Inf, so its numbers are at the end of what float32 holds"
}
