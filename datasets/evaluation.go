package datasets

import (
	"context"
	"errors"
	"iter"
)

// Evaluation goes over a data set once, every sample exactly one time, with
// labels at their own size: measures are taken on what people drew, not on what
// a resize made of it. It is safe for concurrent use.
type Evaluation struct {
	cfg     LoaderConfig
	buckets bucketing // of labels
	shapes  []BatchShape
	waste   float64
	cache   *cache
}

// NewEvaluation prepares passes over src. cfg.Fixed changes images only. With it,
// images have one shape, and labels are put into buckets by their own sizes, not
// rounded up to cfg.Multiple; without it, labels have the shape of the images.
// It reads the sizes of all samples unless cfg gives the height and width and no
// transform.
func NewEvaluation(ctx context.Context, src Source, cfg LoaderConfig) (*Evaluation, error) {
	cfg, err := cfg.withDefaults()
	switch {
	case err != nil:
		return nil, err
	case cfg.Augment != nil:
		return nil, errors.New("an evaluation takes no augmentation: every pass must see the same pixels")
	case cfg.Shuffle:
		return nil, errors.New("an evaluation takes no shuffle: it goes over samples in their own order")
	case src.Len() == 0:
		return nil, errors.New("the data set has no samples")
	}
	e := &Evaluation{cfg: cfg}
	given := extent{cfg.Height, cfg.Width}
	sizes := []extent{given}
	if given.h > 0 && cfg.Fixed == nil {
		e.buckets = oneBucket(src.Len(), given.roundUp(cfg.Multiple))
	} else {
		if sizes, err = readSizes(ctx, src, cfg); err != nil {
			return nil, err
		}
		multiple := cfg.Multiple
		if cfg.Fixed != nil {
			multiple = 1 // no network halves a label
		}
		e.buckets = chooseBuckets(sizes, cfg.Buckets, multiple)
	}
	e.waste = e.buckets.paddingWaste(sizes)
	for _, label := range e.buckets.shapes {
		images := label
		if cfg.Fixed != nil {
			images = given.roundUp(cfg.Multiple)
		}
		e.shapes = append(e.shapes, BatchShape{cfg.Batch, images.h, images.w, label.h, label.w})
	}
	if err := checkMemory(e.shapes); err != nil {
		return nil, err
	}
	e.cache = newCache(cfg.CacheBytes, func(i int) (Sample, error) {
		s, err := src.At(i)
		if err != nil {
			return s, asSampleError(err, i)
		}
		label := s.Label
		if label == nil {
			// Its size is still wanted: the prediction's.
			label = newIgnored(s.Image.Rect.Dy(), s.Image.Rect.Dx())
		}
		s.Label = nil
		s, err = apply(cfg.Fixed, sampleRNG(cfg.Seed, 0, i), s)
		s.Label = label
		return s, err
	})
	return e, nil
}

// Shapes lists the shapes that batches have.
func (e *Evaluation) Shapes() []BatchShape { return e.shapes }

// PaddingWaste is the share of the labels' pixels that were added to fill the
// shapes of the samples.
func (e *Evaluation) PaddingWaste() float64 { return e.waste }

// Samples is how many a pass covers.
func (e *Evaluation) Samples() int { return len(e.buckets.of) }

// Batches is how many a pass has.
func (e *Evaluation) Batches() int {
	n := 0
	for range e.plan() {
		n++
	}
	return n
}

// Pass goes over all samples, bucket by bucket, in each by ascending index. The
// last batch of a bucket is filled up with blank samples: zero images with the
// whole shape as their Sizes and LabelSizes, so that no computation on sizes
// meets a zero, and labels that are all [Ignore]. Next counts the samples so far.
// It ends, or is ended, as [Loader.Batches] is.
func (e *Evaluation) Pass(ctx context.Context) iter.Seq2[*Batch, error] {
	a := assembler{shapes: e.shapes, sample: e.sample, workers: e.cfg.Workers, prefetch: e.cfg.Prefetch, skip: e.cfg.SkipBad}
	return a.run(ctx, e.plan())
}

func (e *Evaluation) plan() iter.Seq[batchPlan] {
	return func(yield func(batchPlan) bool) {
		var next Cursor
		order := epochOrder(0, 0, len(e.buckets.of), false)
		for bucket, members := range e.buckets.members(order) {
			for len(members) > 0 {
				n := min(len(members), e.cfg.Batch)
				next += Cursor(n)
				if !yield(batchPlan{bucket: bucket, indices: members[:n], next: next}) {
					return
				}
				members = members[n:]
			}
		}
	}
}

// sample is the same in every epoch.
func (e *Evaluation) sample(index, _ int) (Sample, error) { return e.cache.at(index) }
