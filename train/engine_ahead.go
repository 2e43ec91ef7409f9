package train

import (
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
)

// A run on images of several sizes has a training step for each shape of batch. The first is
// compiled in the engine's own store, where it makes the variables. The others can be compiled
// beside steps, each in a store of its own, to which the variables are [lent] while it runs.

// stepAhead is the training step for one shape of batch, compiled ahead.
type stepAhead struct {
	lent *lent
	exec *model.Exec
	over chan struct{} // closed when it is compiled, or could not be; nothing of it is touched by others before
	err  error
}

// stepsAhead are those of an engine. It is safe for concurrent use.
type stepsAhead struct {
	template *Engine // the engine as it was made: copies of it build the graphs, each for a store of its own

	mu      sync.Mutex
	byShape map[datasets.BatchShape]*stepAhead // nil: this shape's step is in the engine's own store
}

func newStepsAhead(e Engine) *stepsAhead {
	return &stepsAhead{template: &e, byShape: map[datasets.BatchShape]*stepAhead{}}
}

// begin gives the shape to whoever asks for it first, who then compiles s, and tells whether
// that is the caller. A later one gets the first one's; nil: it is in the engine's own store.
func (a *stepsAhead) begin(shape datasets.BatchShape, s *stepAhead) (whose *stepAhead, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	whose, taken := a.byShape[shape]
	if taken {
		return whose, false
	}
	a.byShape[shape] = s
	return s, true
}

// drop leaves the shape to the engine's own store.
func (a *stepsAhead) drop(shape datasets.BatchShape) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byShape[shape] = nil
}

// find is the shape's step, if it was compiled ahead.
func (a *stepsAhead) find(shape datasets.BatchShape) *stepAhead {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.byShape[shape]; s != nil && isClosed(s.over) { // one that failed was dropped before
		return s
	}
	return nil
}

// close gives back what was compiled, when nothing is being compiled. The variables are the
// engine's.
func (a *stepsAhead) close() {
	for _, s := range a.byShape {
		if s != nil {
			s.exec.Finalize()
			s.lent.store.Finalize()
		}
	}
}

// CompileStepAhead gets ready for training steps on batches of b's shape, as CompileStep
// does, but beside any other method, from another goroutine. It is for an engine that has taken
// a step. What CompileStep has begun is left to that. Where it fails nothing is lost:
// CompileStep tries again.
func (e *Engine) CompileStepAhead(b *datasets.Batch, before Before) error {
	e.busy.RLock()
	defer e.busy.RUnlock()
	s := &stepAhead{over: make(chan struct{})}
	if _, first := e.ahead.begin(b.Shape(), s); !first {
		return nil
	}
	defer close(s.over)
	if s.err = s.compile(e, b, before); s.err != nil {
		// It is left to the garbage collector: GoMLX v0.28.2 would wait without end for a
		// compilation that has panicked (graph.Exec.Finalize).
		e.ahead.drop(b.Shape())
	}
	return s.err
}

func (s *stepAhead) compile(e *Engine, b *datasets.Batch, before Before) error {
	s.lent = newLent(e.store, e.mesh)
	builds := *e.ahead.template
	builds.store, builds.debug = s.lent.store, nil // the first step has told the debugger what steps change
	var err error
	if s.exec, err = model.NewExec(e.backend, builds.store, builds.firstGraph()); err != nil {
		return err
	}
	s.exec.SetMaxCache(-1)
	e.mesh.spread(s.exec, stepSplit[:])
	return e.compile(trainingStep(s.exec), b, before)
}

// CompileStep gets ready for training steps on batches of b's shape. Where there is something
// to compile, or to wait for, it first calls before. It is an error if some of the values that
// the engine was given belong to nothing in the step.
func (e *Engine) CompileStep(b *datasets.Batch, before Before) error {
	e.busy.RLock() // also while it waits
	defer e.busy.RUnlock()
	if s, _ := e.ahead.begin(b.Shape(), nil); s != nil {
		if !isClosed(s.over) {
			if err := before.call(compiledAs(stepKind, b)); err != nil {
				return err
			}
			before = nil // it has heard
			<-s.over
		}
		if s.err == nil {
			return nil
		}
	}
	return e.compileStep(b, before)
}

// runStep runs the training step for batches of b's shape, or the part of it that is run for
// each micro-batch.
func (e *Engine) runStep(b *datasets.Batch, in []*tensors.Tensor) ([]*tensors.Tensor, error) {
	if s := e.ahead.find(b.Shape()); s != nil {
		return e.run(s.lent, s.exec, in)
	}
	return e.call(e.step, in)
}
