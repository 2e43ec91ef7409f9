package train

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
)

// Where [TrainConfig].Accumulate is above 1, a step is computed by two graphs: one adds
// the gradients of a micro-batch to what those before it gave, and is run for each of
// them; the other moves the weights by the whole, once. What is added up are gradients of
// the summed loss, and the sums of loss and weight, because micro-batches differ in how
// many pixels have a label: only the whole tells what the mean is over.

// accumulators is where sums over micro-batches are among the store's variables. They
// mean nothing between steps, and are in no checkpoint.
const accumulators = "/accumulated/"

// The places of accumulators + "totals".
const (
	totalLoss    = iota // summed over pixels
	totalWeight         // of these pixels
	totalChanged        // the checksums of what the micro-batches change: running averages
	totals
)

// accumulated tells whether the variable at path is a sum over micro-batches.
func accumulated(path string) bool { return strings.HasPrefix(path, accumulators) }

// microGraph is forward and backward of one micro-batch. Its inputs are those of
// stepGraph, with the place of the micro-batch in its step, from 0, instead of the rate:
// the first one begins the sums anew.
func (e *Engine) microGraph(scope *model.Scope, in []*graph.Node) []*graph.Node {
	sum, weight, kept := e.forward(scope, in, nil)
	learners := e.learners(sum, kept)
	inTurn(learners) // one gradient at a time is in memory
	total := e.accumulate(sum, weight, learners, in[3])
	e.overwrite(sum.Graph())
	e.beside.built(e.store)
	return []*graph.Node{total}
}

// accumulate adds to the sums, and returns the totals.
func (e *Engine) accumulate(sum, weight *graph.Node, learners []learner, at *graph.Node) (total *graph.Node) {
	g := sum.Graph()
	changed := checksum(e.store, g)
	first := graph.Equal(at, graph.ZerosLike(at))
	add := func(name string, x *graph.Node) *graph.Node {
		v := e.store.VariableWithShape(accumulators+name, x.Shape(), graph.Zeros).SetTrainable(false)
		old := v.NodeValue(g)
		v.SetNodeValue(graph.Add(graph.Where(first, graph.ZerosLike(old), old), x))
		return v.NodeValue(g)
	}
	for _, l := range learners {
		add(l.spec.Path(), l.grad)
	}
	return add("totals", graph.Stack([]*graph.Node{sum, weight, changed}, 0))
}

// updateGraph moves the weights along what was accumulated, at the rate that is its only
// input. It returns what stepGraph does.
func (e *Engine) updateGraph(_ *model.Scope, in []*graph.Node) []*graph.Node {
	loss, changed, learners := e.whole(in[0].Graph())
	out := e.move(loss, learners, in[0])
	out[1] = graph.Add(out[1], changed)
	return out
}

// whole is what was accumulated over a step: its loss and the gradients of that.
func (e *Engine) whole(g *graph.Graph) (loss, changed *graph.Node, learners []learner) {
	sums := e.store.GetVariable(accumulators + "totals").NodeValue(g)
	total := func(i int) *graph.Node { return graph.Reshape(graph.Slice(sums, graph.AxisElem(i))) }
	learners = e.learning()
	for i := range learners {
		sum := e.store.GetVariable(accumulators + learners[i].spec.Path()).NodeValue(g)
		learners[i].grad = e.loss(sum, total(totalWeight))
	}
	return e.loss(total(totalLoss), total(totalWeight)), total(totalChanged), learners
}

// stepBy computes an update in micro-batches, and returns what updateGraph does.
func (e *Engine) stepBy(b *datasets.Batch, at int64, lr float64) ([]*tensors.Tensor, error) {
	for i := range e.cfg.Accumulate {
		in, err := e.stagedMicro(&e.staged, b, at, i)
		if err != nil {
			return nil, err
		}
		out, err := e.runStep(b, in)
		finalize(out)
		if err != nil {
			return nil, fmt.Errorf("micro-batch %d of %d: %w", i+1, e.cfg.Accumulate, err)
		}
	}
	return e.call(e.update, e.updateInputs(lr))
}

// firstInputs are those of the graph that a step on b begins with, or consists of.
func (e *Engine) firstInputs(b *datasets.Batch) ([]*tensors.Tensor, error) {
	if e.update != nil {
		return e.microInputs(b, 0, 0)
	}
	return e.stepInputs(b, 0, 0)
}

// microInputs are those of microGraph for the i-th micro-batch of b, ordered as
// stepInputs are. Its dropout depends on nothing but the seed, the step and i.
func (e *Engine) microInputs(b *datasets.Batch, at int64, i int) ([]*tensors.Tensor, error) {
	return e.stagedMicro(nil, b, at, i)
}

// stagedMicro are microInputs, of which what from has is taken.
func (e *Engine) stagedMicro(from *staged, b *datasets.Batch, at int64, i int) ([]*tensors.Tensor, error) {
	if err := e.checkMicro(b.N); err != nil {
		return nil, err
	}
	return e.trainInputs(from, b, at, i, e.cfg.Accumulate, float64(i))
}

// checkMicro is an error for a batch of n images that has no equal micro-batches.
func (e *Engine) checkMicro(n int) error {
	if n%e.cfg.Accumulate != 0 {
		return fmt.Errorf("a batch of %d images cannot be computed as %d equal micro-batches", n, e.cfg.Accumulate)
	}
	return nil
}

// updateInputs are those of updateGraph: the rate, for each device.
func (e *Engine) updateInputs(lr float64) (in []*tensors.Tensor) {
	for range e.mesh.size() {
		in = append(in, tensors.FromScalar(float32(lr)))
	}
	return in
}

// firstGraph is the graph that a step begins with, or consists of.
func (e *Engine) firstGraph() func(*model.Scope, []*graph.Node) []*graph.Node {
	if e.cfg.Accumulate > 1 {
		return e.microGraph
	}
	return e.stepGraph
}

// accumulating makes e compute each step in micro-batches, where that is asked for.
func (e *Engine) accumulating() (err error) {
	if e.cfg.Accumulate <= 1 {
		return nil
	}
	if e.update, err = model.NewExec(e.backend, e.store, e.updateGraph); err != nil {
		return err
	}
	e.mesh.spread(e.update, updateSplit[:])
	return nil
}

// compileUpdate compiles the second graph, once the first has made its variables. It
// does not depend on the size of images: it is there at once from the second shape on.
func (e *Engine) compileUpdate() (*graph.Graph, error) {
	dims := make([]shapes.Shape, e.mesh.size())
	for i := range dims {
		dims[i] = shapes.Make(dtypes.Float32)
	}
	return e.update.Compile(dims...)
}

// stepMemory is what a step needs whose only graph is first, or of two the first: then it is
// the larger of what both do, each with the variables that lie beside it meanwhile, the
// optimiser's slots or the frozen weights.
func (e *Engine) stepMemory(first *graph.Graph) (most Memory, err error) {
	if e.update == nil {
		return memoryOf(first)
	}
	update, err := e.compileUpdate()
	if err != nil {
		return most, err
	}
	held := e.held
	if held == nil {
		held = bytesOf(e.store)
	}
	for _, g := range []*graph.Graph{first, update} {
		m, err := memoryOf(g)
		if err != nil {
			return most, err
		}
		for path, bytes := range held {
			if g.GetParameterByName(path) == nil {
				m.Arguments += bytes
			}
		}
		if m.Needed() > most.Needed() {
			most = m
		}
	}
	return most, nil
}

// bytesOf is how many bytes each variable of a store has, by its path.
func bytesOf(store *model.Store) map[string]int64 {
	bytes := map[string]int64{}
	for v := range store.IterVariables() {
		bytes[v.Path()] = v.Shape().ByteSize()
	}
	return bytes
}
