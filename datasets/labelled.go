package datasets

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Labelled tells whether any sample has a pixel with a label: there is nothing to
// learn, nor to score, otherwise. It reads samples from the first on until it finds one,
// which is the first as a rule. Samples that cannot be used are passed over. Its error
// is that of ctx.
func Labelled(ctx context.Context, src Source) (bool, error) {
	const workers = 2 // the rule is that one is enough
	var found atomic.Bool
	var group errgroup.Group
	group.SetLimit(workers)
	for i := range src.Len() {
		if found.Load() || ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			if sample, err := src.At(i); err == nil && hasLabel(sample) {
				found.Store(true)
			}
			return nil
		})
	}
	_ = group.Wait() // no function of it fails
	return found.Load(), ctx.Err()
}

func hasLabel(s Sample) bool {
	if s.Label == nil {
		return false
	}
	for y := range s.Label.Rect.Dy() {
		for _, v := range s.Label.Pix[y*s.Label.Stride:][:s.Label.Rect.Dx()] {
			if v != Ignore {
				return true
			}
		}
	}
	return false
}
