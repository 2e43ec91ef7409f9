package train

import (
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
)

// A run on images of several sizes has a training step for each shape of batch. The first is
// compiled in the engine's own store, where it makes the variables. The others can be compiled
// beside steps, each with a store of its own, to which the variables are [lent] while it runs.

// stepAhead is the training step for one shape of batch, compiled ahead.
type stepAhead struct {
	lent *lent
	exec *model.Exec
	over chan struct{} // closed when it is compiled, or could not be
	err  error
}

// isOver tells whether it is compiled, or could not be.
func (s *stepAhead) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// stepsAhead are those of an engine. It is safe for concurrent use.
type stepsAhead struct {
	model *Engine // as the engine was made; its graphs are built by copies of that, which have other stores

	mu sync.Mutex
	of map[datasets.BatchShape]*stepAhead // nil: this shape's step is the engine's own
}

func newStepsAhead(e Engine) *stepsAhead {
	return &stepsAhead{model: &e, of: map[datasets.BatchShape]*stepAhead{}}
}

// begin gives the shape to whoever asks for it first, and tells whether that is the caller. A
// later one gets what is being made of it; nil: the engine's own step.
func (a *stepsAhead) begin(shape datasets.BatchShape, s *stepAhead) (whose *stepAhead, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	whose, taken := a.of[shape]
	if taken {
		return whose, false
	}
	a.of[shape] = s
	return s, true
}

// drop makes the shape's step the engine's own.
func (a *stepsAhead) drop(shape datasets.BatchShape) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of[shape] = nil
}

// find is the shape's step, if it was compiled ahead.
func (a *stepsAhead) find(shape datasets.BatchShape) *stepAhead {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.of[shape]; s != nil && s.isOver() && s.err == nil {
		return s
	}
	return nil
}

// all are those that were begun.
func (a *stepsAhead) all() (steps []*stepAhead) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.of {
		if s != nil {
			steps = append(steps, s)
		}
	}
	return steps
}

// CompileStepAhead gets ready for training steps on batches of b's shape, as CompileStep
// does, but beside any other method, from another goroutine. There must have been a step
// before. What another goroutine compiles already is left to that. Where it fails, nothing
// is lost: CompileStep tries again.
func (e *Engine) CompileStepAhead(b *datasets.Batch, before Before) error {
	s := &stepAhead{over: make(chan struct{})}
	if _, first := e.ahead.begin(b.Shape(), s); !first {
		return nil
	}
	defer close(s.over)
	if s.err = s.compile(e, b, before); s.err != nil {
		e.ahead.drop(b.Shape())
		s.close()
	}
	return s.err
}

func (s *stepAhead) compile(e *Engine, b *datasets.Batch, before Before) error {
	s.lent = newLent(e.store, e.mesh)
	builds := *e.ahead.model
	builds.store, builds.debug = s.lent.store, nil
	var err error
	if s.exec, err = model.NewExec(e.backend, builds.store, builds.firstGraph()); err != nil {
		return err
	}
	s.exec.SetMaxCache(-1)
	e.mesh.spread(s.exec, stepSplit[:])
	return e.compile(e.stepping(s.exec), b, before)
}

// close gives back what is compiled. The variables are the engine's.
func (s *stepAhead) close() {
	if s.exec != nil {
		s.exec.Finalize()
		s.lent.store.Finalize()
	}
}

// CompileStep and CompileEval get ready for training steps on batches of b's shape, and for
// scoring them. Where there is something to compile, or to wait for, they first call before.
// It is an error if some of the values that the engine was given belong to nothing in the
// step.
func (e *Engine) CompileStep(b *datasets.Batch, before Before) error {
	s, first := e.ahead.begin(b.Shape(), nil)
	if !first && s != nil {
		if !s.isOver() {
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
