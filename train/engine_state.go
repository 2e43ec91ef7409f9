package train

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// checkValues is an error if some of the values that the engine was given have
// found no variable, now that a step was compiled.
func (e *Engine) checkValues(compiled error) error {
	if compiled != nil {
		return nil
	}
	if unused := e.loader.unused(); len(unused) > 0 {
		slices.Sort(unused)
		return fmt.Errorf("%d stored variables belong to nothing in this run, the first is %s", len(unused), unused[0])
	}
	return nil
}

// Variables lists everything that a resumed run needs to go on from here, sorted
// by path: the weights, running averages and the optimiser's slots. What the
// engine was given and no graph has asked for yet is among them: a resumed run may
// be saved before its first step.
func (e *Engine) Variables() []Variable {
	names := map[dtypes.DType]string{}
	for name, dtype := range storeDTypes {
		names[dtype] = name
	}
	var vars []Variable
	for v := range e.store.IterVariables() {
		if accumulated(v.Path()) {
			continue
		}
		vars = append(vars, Variable{strings.TrimPrefix(v.Path(), "/"), names[v.DType()], v.Shape().Dimensions})
	}
	for _, path := range e.loader.unused() {
		dtype, shape, _ := e.loader.values.Find(path)
		vars = append(vars, Variable{path, dtype, shape})
	}
	slices.SortFunc(vars, func(a, b Variable) int { return strings.Compare(a.Path, b.Path) })
	return vars
}

// WriteVariable writes the bytes of one of them, little-endian and row-major, to
// w. It refuses NaN and Inf with a [*DivergedError]: such a state is of no use, and
// must not take the place of a good one.
func (e *Engine) WriteVariable(path string, w io.Writer) error {
	return e.variable(path, func(dtype dtypes.DType, data []byte) error { return writeFinite(path, dtype, data, w) })
}

// variable shows use the bytes of a variable, which are only lent.
func (e *Engine) variable(path string, use func(dtype dtypes.DType, data []byte) error) (err error) {
	defer recoverInto(&err, "saving") // the store loads what it does not have yet
	if slices.Contains(e.loader.unused(), path) {
		return e.loader.stored(path, use)
	}
	v := e.store.GetVariable("/" + path)
	if v == nil {
		return fmt.Errorf("there is no variable %s", path)
	}
	value, err := e.mesh.value(v)
	if err != nil {
		return fmt.Errorf("variable %s: %w", path, err)
	}
	var used error
	err = lend(value, func(data []byte) { used = use(v.DType(), data) })
	return errors.Join(err, used)
}

// lend shows use the bytes of a tensor, and leaves no copy on the host behind that was only
// made for that.
func lend(t *tensors.Tensor, use func(data []byte)) error {
	err := t.ConstBytes(use)
	if !t.IsShared() && t.IsOnAnyDevice() {
		t.FinalizeLocal()
	}
	return err
}

func writeFinite(path string, dtype dtypes.DType, data []byte, w io.Writer) error {
	if dtype == dtypes.Float32 && !allFinite(data) {
		return &DivergedError{What: path + " holds NaN or Inf"}
	}
	_, err := w.Write(data)
	return err
}

// allFinite looks for the exponent that float32 keeps for NaN and Inf.
func allFinite(float32s []byte) bool {
	for i := 0; i+4 <= len(float32s); i += 4 {
		if float32s[i+3]&0x7f == 0x7f && float32s[i+2]&0x80 != 0 {
			return false
		}
	}
	return true
}
