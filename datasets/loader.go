package datasets

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
)

// LoaderConfig says how samples become batches. Only Batch must be given.
type LoaderConfig struct {
	Batch int // samples a batch, at least 1

	// Fixed is the part of the way that is the same in every epoch, a [Resize] as
	// a rule; nil: none. What it gives is what the cache keeps.
	Fixed Transform
	// Augment is the part that chance has a hand in; nil: none. An [Evaluation]
	// takes none.
	Augment Transform
	// Height and Width are the size in pixels of every image after Fixed and
	// Augment. Give them where a resize or a crop decides it: there is one shape
	// then, and no size is read from the data. Both 0: images keep their sizes and
	// are put into buckets by them; Augment may not make them larger then.
	Height, Width int

	Buckets  int // at most so many shapes; 0: 4
	Multiple int // sides of shapes are multiples of it, in pixels; 0: 32, 1: any

	Seed    uint64 // of the order and of Augment
	Shuffle bool   // a new order each epoch; otherwise, the source's. Not in an [Evaluation].

	Workers    int   // samples decoded at a time; 0: one a core
	Prefetch   int   // batches made ahead of the one being waited for; 0: 2
	CacheBytes int64 // of pixels kept in memory after Fixed; 0: none

	// SkipBad leaves the slot of a sample that cannot be used blank (a black image of
	// the batch's shape, labels all [Ignore]) and tells of it in [Batch.Skipped].
	// Everything else is as it would have been: order, cursor, and every other pixel.
	// Without it, the first such sample ends the stream.
	SkipBad bool
}

// maxBatchBytes bounds the pixels of one batch, of which a few are in memory at a
// time. Sizes come from file headers, and a header can claim anything.
const maxBatchBytes = 1 << 30

func (c LoaderConfig) withDefaults() (LoaderConfig, error) {
	defaults := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	defaults(&c.Buckets, 4)
	defaults(&c.Multiple, 32)
	defaults(&c.Workers, runtime.GOMAXPROCS(0))
	defaults(&c.Prefetch, 2)
	switch {
	case c.Batch < 1:
		return c, fmt.Errorf("batch %d: give at least 1 sample", c.Batch)
	case c.Buckets < 0:
		return c, fmt.Errorf("buckets %d: give at least 1, or 0 for 4", c.Buckets)
	case c.Multiple < 0 || c.Multiple > maxSide:
		return c, fmt.Errorf("multiple %d: give 1 to %d pixels, or 0 for 32", c.Multiple, maxSide)
	case c.Workers < 0:
		return c, fmt.Errorf("workers %d: give at least 1, or 0 for one a core", c.Workers)
	case c.Prefetch < 0:
		return c, fmt.Errorf("prefetch %d: give at least 1 batch, or 0 for 2", c.Prefetch)
	case c.CacheBytes < 0:
		return c, fmt.Errorf("cache of %d bytes: give a size, or 0 for none", c.CacheBytes)
	case (c.Height == 0) != (c.Width == 0) || c.Height < 0 || c.Width < 0:
		return c, fmt.Errorf("size %dx%d: give both height and width, or neither", c.Height, c.Width)
	case c.Fixed != nil && c.Height == 0:
		return c, errors.New("a fixed transform needs the height and width that images have after it")
	}
	return c, nil
}

// Loader is the endless stream of batches that a network trains on. It is safe
// for concurrent use.
//
// An epoch walks all samples in the order of (seed, epoch). Each sample goes to
// the bucket of its size, and a bucket that is full is a batch. What is left in a
// bucket at the end of the epoch is filled up with that bucket's first samples of
// the same epoch. So every batch is full, every sample is seen at least once in
// an epoch, and all epochs have the same number of batches.
type Loader struct {
	cfg      LoaderConfig
	buckets  bucketing
	shapes   []BatchShape // of each bucket
	waste    float64
	area     float64 // pixels of an image, on average
	perEpoch int     // batches
	fullest  int     // samples in the bucket that has most
	cache    *cache
}

// NewLoader prepares a stream over src. Without a height and width in cfg it
// reads the sizes of all samples, and its error is then a [*SampleError] when one
// cannot be read.
func NewLoader(ctx context.Context, src Source, cfg LoaderConfig) (*Loader, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if src.Len() == 0 {
		return nil, errors.New("the data set has no samples")
	}
	l := &Loader{cfg: cfg}
	sizes := []extent{{cfg.Height, cfg.Width}}
	if cfg.Height > 0 {
		l.buckets = oneBucket(src.Len(), sizes[0].roundUp(cfg.Multiple))
	} else {
		if sizes, err = readSizes(ctx, src, cfg); err != nil {
			return nil, err
		}
		l.buckets = chooseBuckets(sizes, cfg.Buckets, cfg.Multiple)
	}
	l.waste = l.buckets.paddingWaste(sizes)
	for _, size := range sizes {
		l.area += float64(size.area()) / float64(len(sizes))
	}
	for bucket, members := range l.buckets.members(epochOrder(0, 0, src.Len(), false)) {
		shape := l.buckets.shapes[bucket]
		l.shapes = append(l.shapes, BatchShape{cfg.Batch, shape.h, shape.w, shape.h, shape.w})
		l.perEpoch += (len(members) + cfg.Batch - 1) / cfg.Batch
		l.fullest = max(l.fullest, len(members))
	}
	if err := checkMemory(l.shapes); err != nil {
		return nil, err
	}
	l.cache = newCache(cfg.CacheBytes, func(i int) (Sample, error) {
		s, err := src.At(i)
		if err != nil {
			return s, asSampleError(err, i)
		}
		return apply(cfg.Fixed, sampleRNG(cfg.Seed, 0, i), s)
	})
	return l, nil
}

// Shapes lists the shapes that batches have.
func (l *Loader) Shapes() []BatchShape { return l.shapes }

// ShapesFrom lists the shapes of so many batches from the given cursor on, each once, in the
// order in which they come.
func (l *Loader) ShapesFrom(from Cursor, batches int64) []BatchShape {
	if len(l.shapes) == 1 && batches > 0 { // as a rule; no epoch need be planned for that
		return l.shapes
	}
	var order []BatchShape
	for p := range l.plan(from) {
		if batches--; batches < 0 || len(order) == len(l.shapes) {
			break
		}
		if shape := l.shapes[p.bucket]; !slices.Contains(order, shape) {
			order = append(order, shape)
		}
	}
	return order
}

// FullestBucket is how many samples the largest bucket has: a larger batch has samples
// twice.
func (l *Loader) FullestBucket() int { return l.fullest }

// PaddingWaste is the share of the pixels of an epoch that were added to fill the
// shapes. What a crop fills counts as image.
func (l *Loader) PaddingWaste() float64 { return l.waste }

// PixelsPerBatch is how many pixels of images a batch has, on average over the data
// set and without what fills the shapes. Those without a label are counted too.
func (l *Loader) PixelsPerBatch() float64 { return l.area * float64(l.cfg.Batch) }

// BatchesPerEpoch is the same for every epoch.
func (l *Loader) BatchesPerEpoch() int { return l.perEpoch }

// SamplesPerEpoch is the distance of two epochs on the cursor. It is larger than
// the data set where batches had to be filled up.
func (l *Loader) SamplesPerEpoch() int { return l.perEpoch * l.cfg.Batch }

// Batches streams from the given cursor on, without end: until the consumer
// breaks out, ctx ends (its error comes last), or a sample cannot be used (a
// [*SampleError] comes last, where its batch would have come). When the loop is
// left, all workers have stopped; one that is decoding finishes its sample first. Only
// after the end of ctx that is not waited for.
//
// A batch belongs to the consumer: nothing in it is used again.
func (l *Loader) Batches(ctx context.Context, from Cursor) iter.Seq2[*Batch, error] {
	if from < 0 || from%Cursor(l.cfg.Batch) != 0 {
		return func(yield func(*Batch, error) bool) {
			yield(nil, fmt.Errorf("cursor %d is not a multiple of the batch, %d samples: a run goes on with the batch it began with",
				from, l.cfg.Batch))
		}
	}
	a := assembler{shapes: l.shapes, sample: l.sample, workers: l.cfg.Workers, prefetch: l.cfg.Prefetch, skip: l.cfg.SkipBad}
	return a.run(ctx, l.plan(from))
}

// plan lists batches from the given cursor on.
func (l *Loader) plan(from Cursor) iter.Seq[batchPlan] {
	perEpoch := Cursor(l.SamplesPerEpoch())
	return func(yield func(batchPlan) bool) {
		for epoch := int(from / perEpoch); ; epoch++ {
			next := Cursor(epoch) * perEpoch
			for _, p := range l.planEpoch(epoch) {
				next += Cursor(l.cfg.Batch)
				p.epoch, p.next = epoch, next
				if next > from && !yield(p) {
					return
				}
			}
		}
	}
}

// planEpoch lists the batches of one epoch in order.
func (l *Loader) planEpoch(epoch int) []batchPlan {
	order := epochOrder(l.cfg.Seed, epoch, len(l.buckets.of), l.cfg.Shuffle)
	members := l.buckets.members(order)
	size := l.cfg.Batch

	var plans []batchPlan
	filled := make([]int, len(members))
	for _, i := range order {
		bucket := l.buckets.of[i]
		if filled[bucket]++; filled[bucket]%size == 0 {
			plans = append(plans, batchPlan{bucket: bucket, indices: members[bucket][filled[bucket]-size : filled[bucket]]})
		}
	}
	for bucket, all := range members {
		if rest := len(all) % size; rest > 0 {
			last := slices.Clone(all[len(all)-rest:])
			for i := 0; len(last) < size; i++ {
				last = append(last, all[i%len(all)])
			}
			plans = append(plans, batchPlan{bucket: bucket, indices: last})
		}
	}
	return plans
}

func (l *Loader) sample(index, epoch int) (Sample, error) {
	s, err := l.cache.at(index)
	if err != nil {
		return s, err
	}
	return apply(l.cfg.Augment, sampleRNG(l.cfg.Seed, epoch, index), s)
}

// apply names the sample in the error of a transform; nil changes nothing.
func apply(transform Transform, rng *rand.Rand, s Sample) (Sample, error) {
	if transform == nil {
		return s, nil
	}
	out, err := transform(rng, s)
	if err != nil {
		return out, &SampleError{ID: s.ID, Err: err}
	}
	return out, nil
}
