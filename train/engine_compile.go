package train

import (
	"errors"
	"fmt"

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

// CompileEval is explained at [Engine.CompileStep].
func (e *Engine) CompileEval(b *datasets.Batch, before Before) error {
	return e.compile(e.eval, "evaluation", b, before, func() ([]*tensors.Tensor, error) { return e.evalInputs(b) })
}

func (e *Engine) compile(exec *model.Exec, kind string, b *datasets.Batch, before Before, inputs func() ([]*tensors.Tensor, error)) (err error) {
	what := fmt.Sprintf("%s %dx%dx%d", kind, b.N, b.H, b.W)
	if b.LabelH != b.H || b.LabelW != b.W {
		what += fmt.Sprintf(", labels %dx%d", b.LabelH, b.LabelW)
	}
	if e.compiled[what] {
		return nil
	}
	e.busy.Lock() // until nothing of the engine is in use any more, whoever waits for that
	defer e.busy.Unlock()
	if err := before.call(what); err != nil {
		return err
	}
	defer recoverInto(&err, "compiling the "+what)
	in, err := inputs()
	if err != nil {
		return err
	}
	defer finalize(in)
	dims := make([]shapes.Shape, len(in))
	for i, t := range in {
		dims[i] = t.Shape()
	}
	_, err = exec.Compile(dims...)
	if exec == e.step && e.update != nil && err == nil {
		_, err = e.compileUpdate()
	}
	if err != nil {
		return fmt.Errorf("compiling the %s: %w", what, err)
	}
	e.compiled[what] = true
	if e.tidy != nil {
		e.tidy()
	}
	return nil
}
