package train

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
)

// explainParts is explain for a step in micro-batches: one after the other with every
// tensor in sight, and then the update.
func (e *Engine) explainParts(b *datasets.Batch, at int64, lr float64) (where string, err error) {
	for i := range e.cfg.Accumulate {
		in, err := e.microInputs(b, at, i)
		if err != nil {
			return "", err
		}
		where, err := e.explainGraph(e.probeMicro, stepSplit[:], in)
		if err != nil {
			return "", err
		}
		if where != "" {
			return fmt.Sprintf("in micro-batch %d of %d %s", i+1, e.cfg.Accumulate, where), nil
		}
	}
	return e.explainGraph(e.probeUpdate, updateSplit[:], e.updateInputs(lr))
}

// probeMicro is microGraph with a probe in it.
func (e *Engine) probeMicro(p *probe, scope *model.Scope, in []*graph.Node) {
	sum, weight, kept := e.probeForward(p, scope, in)
	learners := e.learners(sum, kept)
	p.lookBack(learners)
	e.accumulate(sum, weight, learners, in[3])
	e.probeChanged(p, sum.Graph())
}

// probeUpdate is updateGraph with a probe in it.
func (e *Engine) probeUpdate(p *probe, _ *model.Scope, in []*graph.Node) {
	loss, _, learners := e.whole(in[0].Graph())
	p.look(loss, place{name: "every micro-batch is finite, and it begins in the loss over all of them"})
	p.lookBack(learners)
	update(e.store, e.cfg, learners, in[0])
	e.probeChanged(p, loss.Graph())
}
