package train

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/models"
)

// place is a tensor of a step.
type place struct {
	name string // "it begins in the output of conv1_2"
	size int
	op   string // whose output it is, and
	from string // the operation whose output that works on; empty where it is no output
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
func (p *probe) look(x *graph.Node, at place) {
	x = graph.ConvertDType(x, dtypes.Float32)
	count := func(which *graph.Node) *graph.Node {
		return graph.Reshape(graph.ReduceAllSum(graph.ConvertDType(which, dtypes.Int64)), 1)
	}
	nan, finite := graph.IsNaN(x), graph.IsFinite(x)
	at.size = x.Shape().Size()
	p.places = append(p.places, at)
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
	defer recoverInto(&err, "looking for NaN")
	if err := e.debug.restore(); err != nil {
		return "", err
	}
	if e.update != nil {
		where, err = e.explainParts(b, at, lr)
	} else {
		var in []*tensors.Tensor
		if in, err = e.stepInputs(b, at, lr); err == nil {
			where, err = e.explainGraph(e.probeStep, stepSplit[:], in)
		}
	}
	if err != nil {
		return "", fmt.Errorf("looking for NaN in step %d: %w", at+1, err)
	}
	if where == "" {
		where = "done again with every layer in sight the step gave no NaN or Inf, so its numbers are at the end of what float32 holds"
	}
	return where, nil
}

// explainGraph runs a graph that has a probe in it, and says where the first NaN or Inf
// is; empty where none is.
func (e *Engine) explainGraph(build func(*probe, *model.Scope, []*graph.Node), split []bool, in []*tensors.Tensor) (where string, err error) {
	var p *probe
	exec, err := model.NewExec(e.backend, e.store, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
		p = &probe{}
		build(p, scope, in)
		return p.nodes()
	})
	if err != nil {
		finalize(in)
		return "", err
	}
	defer exec.Finalize()
	e.mesh.spread(exec, split)
	out, err := e.call(exec, in)
	if err != nil {
		return "", err
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
	sum, weight, kept := e.probeForward(p, scope, in)
	loss := e.loss(sum, weight)
	p.look(loss, place{name: inLoss + "loss"})
	learners := e.learners(loss, kept)
	p.lookBack(learners)
	update(e.store, e.cfg, learners, in[3])
	e.probeChanged(p, loss.Graph())
}

const inLoss = "every layer's output is finite, and it begins in the "

// probeForward is forward with a probe in it.
func (e *Engine) probeForward(p *probe, scope *model.Scope, in []*graph.Node) (sum, weight *graph.Node, kept *models.Recomputed) {
	from := map[string]string{}
	for _, op := range e.net.Ops() {
		from[op.Name] = op.Inputs[0]
	}
	sum, weight, kept = e.forward(scope, in, func(op string, output *graph.Node) {
		p.look(output, place{name: "it begins in the output of " + op, op: op, from: from[op]})
	})
	p.look(weight, place{name: inLoss + "sum of the pixels' weights (train.class_weights)"})
	p.look(sum, place{name: inLoss + "loss, summed over the pixels"})
	return sum, weight, kept
}

// lookBack adds gradients, in the order in which they come.
func (p *probe) lookBack(learners []learner) {
	for _, l := range slices.Backward(learners) {
		p.look(l.grad, place{name: "the loss is finite, and it begins in the gradient of " + l.spec.Path()})
	}
}

// probeChanged adds what the variables become.
func (e *Engine) probeChanged(p *probe, g *graph.Graph) {
	for v := range e.store.IterVariables() {
		if v.ChangedInGraph(g) {
			p.look(v.NodeValue(g), place{name: "every gradient is finite, and it begins in the new value of " + v.Path()[1:]})
		}
	}
}

// firstBad says which place is the first with NaN or Inf, and what it holds; empty where
// there is none.
func firstBad(places []place, found []contents) string {
	bad := slices.IndexFunc(found, func(c contents) bool { return c.nans+c.infs > 0 })
	if bad < 0 {
		return ""
	}
	p, c := places[bad], found[bad]
	if p.size == 1 {
		return p.name + ", which is " + map[bool]string{true: "NaN", false: "Inf"}[c.nans > 0]
	}
	text := fmt.Sprintf("%s: of %d values %d are NaN and %d Inf", p.name, p.size, c.nans, c.infs)
	if c.nans+c.infs < int64(p.size) {
		text += fmt.Sprintf(", and the largest other magnitude is %.3g", c.largest)
	}
	if p.from != "" {
		before := slices.IndexFunc(places, func(q place) bool { return q.op == p.from })
		text += fmt.Sprintf("; that of %s before it is at most %.3g", p.from, found[before].largest)
	}
	return text
}
