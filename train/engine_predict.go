package train

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
)

// Masks returns the most likely class of every pixel of a batch, row-major
// [N,LabelH,LabelW], at the size of the labels (of which only the size counts).
func (e *Engine) Masks(b *datasets.Batch) ([]uint8, error) {
	return predict[uint8](e, e.masks, "masks", b)
}

// Logits returns the scores of every pixel, row-major [N,Classes,LabelH,LabelW], at
// the size of the labels.
func (e *Engine) Logits(b *datasets.Batch) ([]float32, error) {
	return predict[float32](e, e.logits, "logits", b)
}

func predict[T uint8 | float32](e *Engine, exec *model.Exec, what string, b *datasets.Batch) (flat []T, err error) {
	defer recoverInto(&err, "prediction")
	if err := e.compile(e.reader(what, exec), b, nil); err != nil {
		return nil, fmt.Errorf("prediction: %w", err)
	}
	in, err := e.evalInputs(b)
	if err != nil {
		return nil, err
	}
	out, err := e.run(e.lent, exec, in)
	if err != nil {
		return nil, fmt.Errorf("prediction: %w", err)
	}
	defer finalize(out)
	flat, err = tensors.CopyFlatData[T](out[0])
	return unfill(e.mesh, b, flat), err
}
