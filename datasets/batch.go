package datasets

import "errors"

// Cursor is a place in the endless stream of training samples: the number of
// samples drawn since the start of the run. It is all that a resumed run needs
// to go on with the sample that would have come next.
type Cursor int64

// Batch is what one step eats. Everything in it is bytes, so that the step's
// inputs are a quarter of the size of float32 and normalisation happens on the
// device.
type Batch struct {
	// Images is [N,H,W,3] RGB, row-major; what lies outside Sizes is zero.
	Images  []uint8
	N, H, W int
	// Sizes is [N,2] (rows, columns): the part of each image that is image. The
	// rest was added, right and below, to fill the batch's shape.
	Sizes []int32

	// Labels is [N,LabelH,LabelW]; what lies outside LabelSizes is [Ignore].
	// In training it has the images' size; in evaluation the labels' own.
	Labels         []uint8
	LabelH, LabelW int
	// LabelSizes is [N,2] (rows, columns), like Sizes.
	LabelSizes []int32

	// Count is the number of samples that are samples: the last batch of an
	// evaluation is filled up with blank ones whose labels are all [Ignore].
	Count int
	// Indices and IDs name the Count samples; one that was skipped has index -1 and no ID.
	Indices []int
	IDs     []string
	// Skipped are the samples that could not be used, in the order of their slots, which
	// are blank; empty without [LoaderConfig.SkipBad].
	Skipped []*SampleError

	// Epoch counts from zero. Next is the cursor after this batch.
	Epoch int
	Next  Cursor
}

// skip gives slot i up: it is as blank as newBatch made it, because nothing is written
// of a sample that has an error.
func (b *Batch) skip(i int, err error) {
	var bad *SampleError
	errors.As(asSampleError(err, b.Indices[i]), &bad)
	b.Skipped = append(b.Skipped, bad)
	b.Indices[i], b.IDs[i] = -1, ""
}
