package train

import (
	"context"
	"fmt"
	"math"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/score"
)

// Result is the score of a whole set.
type Result struct {
	Samples   int
	Loss      float64 // mean over all labelled pixels of the set
	Confusion *score.Confusion
}

// Watcher sees what is predicted while it is scored.
type Watcher interface {
	// Wants says whether the masks of a batch are worth reading back.
	Wants(b *datasets.Batch) bool
	// See gets them, row-major [N,LabelH,LabelW], and may keep them. The batch is
	// only lent.
	See(b *datasets.Batch, masks []uint8)
}

// Evaluate goes once over a validation set: one confusion matrix over all of it,
// at the labels' own size. before is called with what is compiled, where that is
// necessary; a ctx that ends then is a [*CompilingError]. watcher and before may be nil.
func Evaluate(ctx context.Context, stepper Stepper, pass Pass, classes int, watcher Watcher, before Before) (Result, error) {
	result := Result{Confusion: score.New(classes)}
	var loss, weight float64
	for b, err := range pass(ctx) {
		if err != nil {
			return result, err
		}
		if err := compile(ctx, b, stepper.CompileEval, before); err != nil {
			return result, err
		}
		if ctx.Err() != nil {
			return result, ctx.Err() // a compilation takes long enough to have been asked to stop
		}
		wanted := watcher != nil && watcher.Wants(b)
		scored, err := stepper.Eval(b, result.Confusion, wanted)
		if err != nil {
			return result, err
		}
		if wanted {
			watcher.See(b, scored.Masks)
		}
		loss, weight = loss+scored.Loss, weight+scored.Weight
		result.Samples += b.Count
	}
	if ctx.Err() != nil {
		return result, ctx.Err()
	}
	if weight == 0 {
		return result, fmt.Errorf("no pixel of the %d validation samples has a label", result.Samples)
	}
	result.Loss = loss / weight
	return result, nil
}

// Record is the result as events.jsonl and `eval --json` tell it, without the time
// and the step.
func (r Result) Record(classes []string) event.Eval {
	m := r.Confusion.Measures()
	record := event.Eval{
		Samples:       r.Samples,
		PixelAccuracy: event.Float(m.PixelAccuracy),
		MeanAccuracy:  event.Float(m.MeanAccuracy),
		MeanIoU:       event.Float(m.MeanIoU),
		FwIoU:         event.Float(m.FwIoU),
		Loss:          event.Float(r.Loss),
		ClassIoU:      make(map[string]*event.Float, len(classes)),
	}
	for i, name := range classes {
		record.ClassIoU[name] = nil
		if !math.IsNaN(m.ClassIoU[i]) {
			iou := event.Float(m.ClassIoU[i])
			record.ClassIoU[name] = &iou
		}
	}
	return record
}
