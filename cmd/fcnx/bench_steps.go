package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
)

// benchLR is too low to diverge on noise.
const benchLR = 1e-4

// updateSide is the side of images on which a step is little more than its weights: of
// VGG16 at 320x320 it has a hundredth of the pixels.
const updateSide = 32

// openSteps adds inference and the training step, for each batch and size.
func (b *bench) openSteps(context.Context) error {
	steps := int64(0)
	step := func(batch *datasets.Batch) error {
		if err := b.engine.CompileStep(batch, nil); err != nil { // as a run does, once
			return err
		}
		_, err := b.engine.Step(batch, steps, benchLR)
		steps++
		return err
	}
	cfg := b.plan.config
	for _, n := range b.plan.batches {
		for _, size := range b.plan.sizes {
			h, w := size[0], size[1]
			trace, err := cfg.Network().Trace(h, w)
			if err != nil {
				return usageError(err)
			}
			ofStep, err := cfg.Train.StepMultiplyAdds(cfg.Network(), h, w)
			if err != nil {
				return usageError(err)
			}
			batch := noise(n, h, w, cfg.Model.Classes)
			shape := fmt.Sprintf("%dx%dx%d", n, h, w)
			if b.plan.wants(partInference) {
				b.cases = append(b.cases, &benchCase{
					part: partInference, name: "inference " + shape, unit: "images", amount: float64(n),
					multiplyAdds: int64(n) * trace.MultiplyAdds(), batch: n, h: h, w: w,
					once: timed(func(context.Context) error {
						_, err := b.engine.Masks(batch)
						return err
					}),
					memory: func() (train.Memory, error) { return b.engine.CompiledMaskMemory(batch) },
				})
			}
			if b.plan.wants(partTrain) {
				b.cases = append(b.cases, &benchCase{
					part: partTrain, name: "training step " + shape, unit: "images", amount: float64(n),
					multiplyAdds: int64(n) * ofStep, batch: n, h: h, w: w,
					once:   timed(func(context.Context) error { return step(batch) }),
					memory: func() (train.Memory, error) { return b.engine.CompiledStepMemory(batch) },
				})
			}
		}
	}
	if b.plan.wants(partUpdate) {
		n := b.plan.smallest
		batch := noise(n, updateSide, updateSide, cfg.Model.Classes)
		b.cases = append(b.cases, &benchCase{
			part: partUpdate, name: fmt.Sprintf("training step %dx%[2]dx%[2]d", n, updateSide), unit: "steps", amount: 1,
			batch: n, h: updateSide, w: updateSide,
			once: timed(func(context.Context) error { return step(batch) }),
		})
	}
	return nil
}

// noise are n images of h by w pixels and their labels.
func noise(n, h, w, classes int) *datasets.Batch {
	rng := rand.New(rand.NewPCG(1, 1))
	b := &datasets.Batch{
		Images: make([]uint8, n*h*w*3), N: n, H: h, W: w,
		Labels: make([]uint8, n*h*w), LabelH: h, LabelW: w, Count: n,
	}
	for i := range b.Images {
		b.Images[i] = uint8(rng.Uint32())
	}
	for i := range b.Labels {
		b.Labels[i] = uint8(rng.IntN(classes))
	}
	for range n {
		b.Sizes = append(b.Sizes, int32(h), int32(w))
	}
	b.LabelSizes = b.Sizes
	return b
}
