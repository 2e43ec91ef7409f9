package train

import (
	"context"
	"iter"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/fcnx/fcnx/datasets"
)

// Stage is the stream of train, with the pixels and labels of each batch on the device by the
// time that it is given out: while a step runs, the batch of the next one is on its way. It
// changes neither bytes nor order. Besides the batch of the step there is one more, on the
// device and on the host.
//
// A stream is for a single Loop that steps this engine. When the loop over it is left, nothing
// of it is on the device any more, and its goroutine has ended; unless ctx has ended, that
// can take until the batch at hand is decoded.
func (e *Engine) Stage(train Batches) Batches {
	return func(ctx context.Context, from datasets.Cursor) iter.Seq2[*datasets.Batch, error] {
		return func(yield func(*datasets.Batch, error) bool) {
			ready, left := make(chan staged), make(chan struct{})
			var running sync.WaitGroup
			defer running.Wait()
			defer close(left)
			running.Go(func() {
				defer close(ready)
				for b, err := range train(ctx, from) {
					s := staged{batch: b, err: err}
					if err == nil {
						s.inputs = e.toDevice(b)
					}
					select {
					case ready <- s:
					case <-left:
						s.free()
						return
					}
				}
			})
			for s := range ready {
				e.staged = s
				more := yield(s.batch, s.err)
				e.staged.free() // where no step has taken them
				e.staged = staged{}
				if !more {
					return
				}
			}
		}
	}
}

// staged is a batch on its way to a step.
type staged struct {
	batch  *datasets.Batch
	inputs [][]*tensors.Tensor // of each part of it, as of batchInputs: those of [mesh.split], micro-batch by micro-batch; nil: still to be made
	err    error
}

func (s staged) free() {
	for _, part := range s.inputs {
		finalize(part)
	}
}

// take returns the i-th part of b where that is what is staged, and leaves it to the caller;
// nil where it is not. Only steps take: a compilation may outlive the loop over Stage.
func (s *staged) take(b *datasets.Batch, i int) []*tensors.Tensor {
	if s == nil || s.batch != b || i >= len(s.inputs) {
		return nil
	}
	part := s.inputs[i]
	s.inputs[i] = nil
	return part
}

// toDevice brings a batch to the devices. What keeps it from that will keep the step from it
// too, which has somebody to tell.
func (e *Engine) toDevice(b *datasets.Batch) (inputs [][]*tensors.Tensor) {
	var err error
	defer func() {
		if err != nil {
			staged{inputs: inputs}.free()
			inputs = nil
		}
	}()
	defer recoverInto(&err, "bringing a batch to the device")
	for i := range e.cfg.Accumulate {
		var parts []*datasets.Batch
		if parts, err = e.mesh.split(part(b, i, e.cfg.Accumulate)); err != nil {
			return inputs
		}
		for device, part := range parts {
			in := batchInputs(part)
			inputs = append(inputs, in)
			for _, t := range in {
				if err = t.ToDevice(e.backend, compute.DeviceNum(device)); err != nil {
					return inputs
				}
			}
		}
	}
	return inputs
}

// batchInputs are the inputs of stepGraph and evalGraph that are a batch's alike.
func batchInputs(b *datasets.Batch) []*tensors.Tensor {
	return []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(b.Images, b.N, b.H, b.W, 3),
		tensors.FromFlatDataAndDimensions(b.Sizes, b.N, 2),
		tensors.FromFlatDataAndDimensions(b.Labels, b.N, b.LabelH, b.LabelW),
	}
}
