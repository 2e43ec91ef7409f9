package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
)

// mesh is several devices that compute together: each of them holds every variable, and
// gets its part of a batch. A graph is written as if for one device, over the whole batch;
// XLA splits it up and adds what the devices must tell each other. So a mean over the
// batch, of the loss or in batch norm, is one over all of it.
//
// A nil mesh is a single device, where nothing of this is needed.
type mesh struct {
	backend compute.Backend
	devices int
	// batch splits the first axis, whole nothing.
	batch, whole *distributed.ShardingSpec
	// placed are the variables of which each device has a copy by now.
	placed map[*model.Variable]bool
}

// batchAxis is the only axis of the mesh.
const batchAxis = "batch"

// newMesh is over the first n devices of a backend; nil for one, of which GoMLX makes no
// mesh.
func newMesh(backend compute.Backend, n int) (*mesh, error) {
	if n <= 1 {
		return nil, nil
	}
	if there := backend.NumDevices(); n > there {
		return nil, fmt.Errorf("%d devices were asked for, and the backend has %d", n, there)
	}
	devices, err := distributed.NewDeviceMesh([]int{n}, []string{batchAxis})
	if err != nil {
		return nil, err
	}
	batch, err := distributed.NewShardingSpec(devices, distributed.AxisSpec{batchAxis})
	if err != nil {
		return nil, err
	}
	return &mesh{
		backend: backend, devices: n, batch: batch, whole: distributed.NewReplicatedShardingSpec(devices),
		placed: map[*model.Variable]bool{},
	}, nil
}

// Whether each of stepInputs, of updateInputs and of evalInputs is a part of the batch.
var (
	stepSplit   = [...]bool{true, true, true, false, false}
	updateSplit = [...]bool{false}
	evalSplit   = [...]bool{true, true, true, true}
)

// spread makes exec compute on all devices, from inputs of which those in split are cut
// along the batch. What comes out, each device has whole: little enough, but for
// [Engine.Logits].
func (m *mesh) spread(exec *model.Exec, split []bool) {
	if m == nil {
		return
	}
	inputs := make([]*distributed.ShardingSpec, len(split))
	for i := range inputs {
		if inputs[i] = m.whole; split[i] {
			inputs[i] = m.batch
		}
	}
	exec.AutoSharding(m.whole.Mesh).WithInputShardingSpecs(inputs...).WithOutputShardingSpecs(m.whole)
}

// ready compiles exec for inputs, unless it is, and gives each device its copy of the
// variables. GoMLX would do so by itself, with a copy on the host for every device.
func (m *mesh) ready(exec *model.Exec, store *model.Store, inputs []*tensors.Tensor) error {
	if m == nil {
		return nil
	}
	if _, err := exec.Compile(shapesOf(inputs)...); err != nil {
		return err
	}
	for v := range store.IterVariables() {
		if err := m.placeOnce(v); err != nil {
			return err
		}
	}
	return nil
}

// placeOnce gives each device a copy of v, unless it has one.
func (m *mesh) placeOnce(v *model.Variable) error {
	if m.placed[v] {
		return nil
	}
	if err := m.place(v); err != nil {
		return fmt.Errorf("copying %s to %d devices: %w", v.Path(), m.devices, err)
	}
	m.placed[v] = true
	return nil
}

// size is how many devices there are.
func (m *mesh) size() int {
	if m == nil {
		return 1
	}
	return m.devices
}

// place gives each device a copy of v. What has no value yet is an optimiser's slot, and
// begins at zero.
func (m *mesh) place(v *model.Variable) error {
	value := tensors.FromShape(v.Shape())
	if v.HasValue() {
		var err error
		if value, err = v.Value(); err != nil {
			return err
		}
	}
	first, err := value.DonateBuffer(m.backend, 0)
	if err != nil {
		return err
	}
	copies := make([]*tensors.Tensor, m.devices)
	for i := range copies {
		buffer := first
		if i > 0 {
			if buffer, err = first.CopyToDevice(compute.DeviceNum(i)); err != nil {
				return errors.Join(err, first.Finalize())
			}
		}
		if copies[i], err = tensors.FromBuffer(buffer); err != nil {
			return errors.Join(err, first.Finalize())
		}
	}
	all, err := dtensor.NewTensor(m.whole, copies)
	if err != nil {
		return err
	}
	return v.SetDistributedValue(all) // and gives back what is left of the old one
}

// value is the tensor with v's value; of copies, which are all alike, the first.
func (m *mesh) value(v *model.Variable) (*tensors.Tensor, error) {
	if m == nil || !m.placed[v] {
		return v.Value()
	}
	all, err := v.DistributedValue()
	if err != nil {
		return nil, err
	}
	return all.Shards()[0], nil
}

// set gives v another value.
func (m *mesh) set(v *model.Variable, value *tensors.Tensor) error {
	if m != nil {
		delete(m.placed, v)
	}
	return v.SetValue(value)
}

// one takes of outputs, device by device, those of the first, and gives the others back.
func (m *mesh) one(outputs []*tensors.Tensor) []*tensors.Tensor {
	if m == nil {
		return outputs
	}
	own := len(outputs) / m.devices
	finalize(outputs[own:])
	return slices.Clip(outputs[:own])
}
