package train

import (
	"errors"
	"fmt"
	"sync"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
)

// CompileEval is explained at [Engine.CompileStep]. It touches none of the variables that
// steps change, and may be called beside any other method, from another goroutine.
func (e *Engine) CompileEval(b *datasets.Batch, before Before) error {
	return e.compile(e.reading("evaluation", e.eval), b, before)
}

// graphOf is one of an engine's graphs, for any shape of batch.
type graphOf struct {
	kind   string // "training step"
	exec   *model.Exec
	inputs func(*Engine, *datasets.Batch) ([]*tensors.Tensor, error)
	memory func(*Engine, *graph.Graph) (Memory, error)
	lent   *lent // of a graph that only reads variables; else nil
}

const stepKind = "training step"

// stepping is the training step that exec computes, or what it computes of it for a
// micro-batch.
func (e *Engine) stepping(exec *model.Exec) graphOf {
	return graphOf{kind: stepKind, exec: exec, inputs: (*Engine).firstInputs, memory: (*Engine).stepMemory}
}

// reading is what exec computes of a batch, and changes nothing by.
func (e *Engine) reading(kind string, exec *model.Exec) graphOf {
	return graphOf{kind: kind, exec: exec, inputs: (*Engine).evalInputs, memory: graphMemory, lent: e.lent}
}

// compileStep is CompileStep in the engine's own store.
func (e *Engine) compileStep(b *datasets.Batch, before Before) error {
	err := e.compile(e.stepping(e.step), b, before)
	return errors.Join(err, e.checkValues(err))
}

// compiledAs names what is compiled for batches of b's shape.
func compiledAs(kind string, b *datasets.Batch) string {
	what := fmt.Sprintf("%s %dx%dx%d", kind, b.N, b.H, b.W)
	if b.LabelH != b.H || b.LabelW != b.W {
		what += fmt.Sprintf(", labels %dx%d", b.LabelH, b.LabelW)
	}
	return what
}

func (e *Engine) compile(of graphOf, b *datasets.Batch, before Before) (err error) {
	what := compiledAs(of.kind, b)
	if of.lent != nil {
		of.lent.mu.Lock()
		defer of.lent.mu.Unlock()
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
	in, err := of.inputs(e, b)
	if err != nil {
		return err
	}
	defer finalize(in)
	begin := e.now()
	g, err := e.build(of, shapesOf(in))
	if err != nil {
		return fmt.Errorf("compiling the %s: %w", what, err)
	}
	done := Compilation{What: what, Took: e.now().Sub(begin)}
	if memory, err := of.memory(e, g); err == nil { // else the backend does not tell
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
