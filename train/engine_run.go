package train

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// run runs what is computed on variables that are lent.
func (e *Engine) run(lent *lent, exec *model.Exec, in []*tensors.Tensor) (out []*tensors.Tensor, err error) {
	err = lent.during(exec, in, func() error {
		out, err = e.call(exec, in)
		return err
	})
	if err != nil {
		finalize(out)
		return nil, err
	}
	return out, nil
}

func (e *Engine) call(exec *model.Exec, in []*tensors.Tensor) ([]*tensors.Tensor, error) {
	defer finalize(in)
	if err := e.mesh.ready(exec, e.store, in); err != nil {
		return nil, err
	}
	args := make([]any, len(in))
	for i, t := range in {
		args[i] = t
	}
	out, err := exec.Exec(args...)
	return e.mesh.one(out), err
}

// Close gives the engine's memory back. It is false where the engine is still compiling,
// of which a [*CompilingError] told: then it keeps its memory, and needs its backend.
func (e *Engine) Close() bool {
	if !e.busy.TryLock() {
		return false
	}
	defer e.busy.Unlock()
	for _, exec := range []*model.Exec{e.step, e.eval, e.masks, e.logits} {
		exec.Finalize()
	}
	e.lent.store.Finalize()
	e.ahead.close()
	if e.update != nil {
		e.update.Finalize()
	}
	e.store.Finalize()
	return true
}

func finalize(ts []*tensors.Tensor) {
	for _, t := range ts {
		_ = t.FinalizeAll() // it can only fail by being gone already
	}
}

// recoverInto turns a panic of graph code into an error.
func recoverInto(err *error, doing string) {
	switch r := recover().(type) {
	case nil:
	case error:
		*err = errors.Join(*err, fmt.Errorf("%s: %w", doing, r))
	default:
		*err = errors.Join(*err, fmt.Errorf("%s: %v", doing, r))
	}
}
