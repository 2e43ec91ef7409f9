package train

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// debugger keeps, on the host, what the variables were before a step: the step writes
// over them, and where NaN began can only be seen by doing it again. The step itself is
// the same one, to the last bit, as without a debugger. A nil debugger does nothing.
type debugger struct {
	mesh   *mesh
	before map[*model.Variable][]byte // of those that a step changes; nil: it had no value yet
}

func newDebugger(m *mesh) *debugger { return &debugger{m, map[*model.Variable][]byte{}} }

// note tells of a variable that steps change.
func (d *debugger) note(v *model.Variable) {
	if d != nil && !accumulated(v.Path()) {
		d.before[v] = nil
	}
}

// keep copies them.
func (d *debugger) keep() error {
	if d == nil {
		return nil
	}
	for v := range d.before {
		if !v.HasValue() { // a slot before the first step
			continue
		}
		if err := d.keepOne(v); err != nil {
			return fmt.Errorf("keeping variable %s for train.debug_nan: %w", v.Path(), err)
		}
	}
	return nil
}

func (d *debugger) keepOne(v *model.Variable) error {
	value, err := d.mesh.value(v)
	if err != nil {
		return err
	}
	return lend(value, func(data []byte) {
		d.before[v] = append(d.before[v][:0], data...) // into the memory of the step before
	})
}

// restore gives the variables back what keep has kept. Slots that had nothing begin at
// zero, as all of them do.
func (d *debugger) restore() error {
	for v, data := range d.before {
		t := tensors.FromShape(v.Shape())
		err := t.MutableBytes(func(to []byte) {
			clear(to)
			copy(to, data)
		})
		if err == nil {
			err = d.mesh.set(v, t)
		}
		if err != nil {
			return fmt.Errorf("restoring variable %s: %w", v.Path(), err)
		}
	}
	return nil
}
