package train

import (
	"errors"
	"fmt"
	"sync"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
)

// CompileStep gets ready for training steps on batches of b's shape, and
// CompileEval for scoring them. Where there is something to compile they first
// call before. It is an error if
// some of the values that the engine was given belong to nothing in the step.
func (e *Engine) CompileStep(b *datasets.Batch, before Before) error {
	err := e.compile(e.step, "training step", b, before, func() ([]*tensors.Tensor, error) { return e.firstInputs(b) })
	return errors.Join(err, e.checkValues(err))
}

// CompileEval is explained at [Engine.CompileStep]. It touches none of the variables that
// steps change, and may be called beside any other method, from another goroutine.
func (e *Engine) CompileEval(b *datasets.Batch, before Before) error {
	return e.compile(e.eval, "evaluation", b, before, func() ([]*tensors.Tensor, error) { return e.evalInputs(b) })
}

func (e *Engine) compile(exec *model.Exec, kind string, b *datasets.Batch, before Before, inputs func() ([]*tensors.Tensor, error)) (err error) {
	what := fmt.Sprintf("%s %dx%dx%d", kind, b.N, b.H, b.W)
	if b.LabelH != b.H || b.LabelW != b.W {
		what += fmt.Sprintf(", labels %dx%d", b.LabelH, b.LabelW)
	}
	if exec != e.step {
		e.lent.mu.Lock()
		defer e.lent.mu.Unlock()
	}
	if e.compiled.has(what) {
		return nil
	}
	e.busy.RLock() // until nothing of the engine is in use any more, whoever waits for that
	defer e.busy.RUnlock()
	if err := before.call(what); err != nil {
		return err
	}
	defer recoverInto(&err, "compiling the "+what)
	in, err := inputs()
	if err != nil {
		return err
	}
	defer finalize(in)
	begin := e.now()
	g, err := e.build(exec, shapesOf(in))
	tell := graphMemory
	if exec == e.step {
		tell = (*Engine).stepMemory
		if e.update != nil && err == nil {
			_, err = e.compileUpdate()
		}
	}
	if err != nil {
		return fmt.Errorf("compiling the %s: %w", what, err)
	}
	done := Compilation{What: what, Took: e.now().Sub(begin)}
	if memory, err := tell(e, g); err == nil { // else the backend does not tell
		done.Memory = &memory
	}
	e.compiled.add(done)
	if e.tidy != nil {
		e.tidy()
	}
	return nil
}

func shapesOf(ts []*tensors.Tensor) []shapes.Shape {
	dims := make([]shapes.Shape, len(ts))
	for i, t := range ts {
		dims[i] = t.Shape()
	}
	return dims
}

// Compiled implements [Stepper].
func (e *Engine) Compiled() []Compilation { return e.compiled.tell() }

// compilations is what an engine has compiled. It is safe for concurrent use.
type compilations struct {
	mu     sync.Mutex
	done   map[string]bool
	untold []Compilation
}

func newCompilations() *compilations { return &compilations{done: map[string]bool{}} }

func (c *compilations) has(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done[what]
}

func (c *compilations) add(done Compilation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[done.What] = true
	c.untold = append(c.untold, done)
}

// tell returns what was added since it was last called.
func (c *compilations) tell() []Compilation {
	c.mu.Lock()
	defer c.mu.Unlock()
	untold := c.untold
	c.untold = nil
	return untold
}
