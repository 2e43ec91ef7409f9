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

// CompileEval gets ready for scoring batches of b's shape. Where there is something to compile
// it first calls before. It touches none of the variables that steps change, and may be called
// beside any other method, from another goroutine.
func (e *Engine) CompileEval(b *datasets.Batch, before Before) error {
	return e.compile(e.reader("evaluation", e.eval), b, before)
}

// graphKind is what an exec computes, for any shape of batch.
type graphKind struct {
	name   string // "training step"
	exec   *model.Exec
	inputs func(*Engine, *datasets.Batch) ([]*tensors.Tensor, error)
	memory func(*Engine, *graph.Graph) (Memory, error)
	shared *lent // the store that it shares with others which only read variables; nil: it is a step's
}

const stepKind = "training step"

// trainingStep is a step that exec computes, or what it computes of one for a micro-batch.
func trainingStep(exec *model.Exec) graphKind {
	return graphKind{name: stepKind, exec: exec, inputs: (*Engine).firstInputs, memory: (*Engine).stepMemory}
}

// reader is what exec computes without changing a variable.
func (e *Engine) reader(name string, exec *model.Exec) graphKind {
	return graphKind{name: name, exec: exec, inputs: (*Engine).evalInputs, memory: graphMemory, shared: e.lent}
}

// compileStep is CompileStep in the engine's own store.
func (e *Engine) compileStep(b *datasets.Batch, before Before) error {
	err := e.compile(trainingStep(e.step), b, before)
	return errors.Join(err, e.checkValues(err))
}

// compiledAs names what is compiled for batches of b's shape.
func compiledAs(name string, b *datasets.Batch) string {
	what := fmt.Sprintf("%s %dx%dx%d", name, b.N, b.H, b.W)
	if b.LabelH != b.H || b.LabelW != b.W {
		what += fmt.Sprintf(", labels %dx%d", b.LabelH, b.LabelW)
	}
	return what
}

func (e *Engine) compile(kind graphKind, b *datasets.Batch, before Before) (err error) {
	what := compiledAs(kind.name, b)
	if kind.shared != nil {
		kind.shared.mu.Lock()
		defer kind.shared.mu.Unlock()
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
	in, err := kind.inputs(e, b)
	if err != nil {
		return err
	}
	defer finalize(in)
	begin := e.now()
	g, err := e.build(kind, shapesOf(in))
	if err != nil {
		return fmt.Errorf("compiling the %s: %w", what, err)
	}
	done := Compilation{What: what, Took: e.now().Sub(begin)}
	if memory, err := kind.memory(e, g); err == nil { // else the backend does not tell
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
