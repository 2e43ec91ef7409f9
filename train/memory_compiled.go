package train

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
)

// CompiledStepMemory tells what the training step for batches of b's shape needs on the
// device, and CompiledMaskMemory the same of [Engine.Masks]. They are for an engine that
// has computed such a batch already: nothing is compiled again then. The error is
// [ErrNoMemoryStats] where the backend does not tell.
func (e *Engine) CompiledStepMemory(b *datasets.Batch) (Memory, error) {
	exec := e.step
	if s := e.ahead.find(b.Shape()); s != nil {
		exec = s.exec
	}
	in, err := e.firstInputs(b)
	return e.compiledMemory(exec, in, err, (*Engine).stepMemory)
}

// CompiledMaskMemory is explained at [Engine.CompiledStepMemory].
func (e *Engine) CompiledMaskMemory(b *datasets.Batch) (Memory, error) {
	in, err := e.evalInputs(b)
	return e.compiledMemory(e.masks, in, err, graphMemory)
}

func (e *Engine) compiledMemory(exec *model.Exec, in []*tensors.Tensor, failed error, tell func(*Engine, *graph.Graph) (Memory, error)) (m Memory, err error) {
	defer recoverInto(&err, "memory of a compiled step")
	defer finalize(in)
	if failed != nil {
		return m, failed
	}
	g, err := exec.Compile(shapesOf(in)...) // found among those that are compiled
	if err != nil {
		return m, err
	}
	return tell(e, g)
}
