package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
)

// benchImages is how many images of the loader are timed at least, and benchBatches how
// many batches.
const benchImages, benchBatches = 32, 4

// openData adds the loader and the evaluation.
func (b *bench) openData(ctx context.Context) error {
	uncached := b.plan.config
	uncached.Data.Cache = 0
	data, err := openTrainData(ctx, &uncached, b.warn)
	if err != nil {
		return specError(err)
	}
	if b.plan.wants(partData) {
		b.addLoader(data.train, "", "input pipeline")
		if b.plan.config.Data.Cache > 0 {
			cached := b.plan.config
			from, err := openTrainData(ctx, &cached, b.warn)
			if err != nil {
				return specError(err)
			}
			b.addLoader(from.train, "cached", "input pipeline, cached")
		}
	}
	if b.plan.wants(partEval) {
		// Inference is timed as predict does it, at the images' size; scores are brought to the labels'.
		scorer := b.engine
		if b.plan.config.Augment.Resize != "" {
			if scorer, err = b.newEngine(true); err != nil {
				return err
			}
		}
		shape := data.val.Shapes()[0]
		b.cases = append(b.cases, &benchCase{
			part: partEval, name: fmt.Sprintf("evaluation of %d images", data.val.Samples()), unit: "images", amount: float64(data.val.Samples()),
			batch: shape.N, h: shape.H, w: shape.W,
			once: timed(func(ctx context.Context) error {
				_, err := train.Evaluate(ctx, scorer, data.val.Pass, len(data.classes), nil, nil)
				return err
			}),
		})
	}
	return nil
}

// addLoader times a loader whose batches are taken as fast as they come. It always begins
// with the same samples, so that a cache has them from the second time on.
func (b *bench) addLoader(loader *datasets.Loader, key, name string) {
	shape := loader.Shapes()[0]
	batches := max(benchBatches, (benchImages+shape.N-1)/shape.N)
	b.cases = append(b.cases, &benchCase{
		part: partData, key: key, name: fmt.Sprintf("%s %dx%dx%d", name, shape.N, shape.H, shape.W), unit: "images", amount: float64(batches * shape.N),
		batch: shape.N, h: shape.H, w: shape.W,
		once: func(ctx context.Context) (time.Duration, error) {
			var begin time.Time
			left := batches
			for _, err := range loader.Batches(ctx, 0) {
				if err != nil {
					return 0, err
				}
				if begin.IsZero() {
					begin = time.Now() // the workers have started
					continue
				}
				if left--; left == 0 {
					return time.Since(begin), nil
				}
			}
			return 0, errors.Join(ctx.Err(), errors.New("the loader ended"))
		},
	})
}
