package datasets

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// batchPlan says which samples a batch holds, before any is decoded. Plans are
// made by one goroutine, in order; only the pixels are made by several.
type batchPlan struct {
	bucket  int
	indices []int
	epoch   int
	next    Cursor
}

// assembler makes planned batches with several workers at a time.
type assembler struct {
	shapes   []BatchShape // of each bucket
	sample   func(index, epoch int) (Sample, error)
	workers  int
	prefetch int
}

// pending is a batch that workers are filling, one slot at a time.
type pending struct {
	plan  batchPlan
	batch *Batch
	errs  []error // of each slot
	left  atomic.Int64
	done  chan struct{} // closed when no slot is left
}

type slot struct {
	*pending
	i int
}

// run gives out the planned batches in order. A batch enters the queue before its
// samples are decoded, and the queue is no longer than prefetch: this bounds the
// memory, and the order of the queue is the order of the plans, whichever worker
// is done first.
//
// Every batch is allocated anew. Reusing one would need a way for the consumer to
// give it back, and would save a small part of what decoding it costs.
func (a assembler) run(ctx context.Context, plans iter.Seq[batchPlan]) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		outer := ctx
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer func() {
			cancel()
			// Whoever was asked to stop should not wait for a file system that does not
			// answer, or for the pixels of a huge image.
			if outer.Err() == nil {
				running.Wait()
			}
		}()

		queue, slots := make(chan *pending, a.prefetch), make(chan slot)
		running.Go(func() { a.feed(ctx, plans, queue, slots) })
		for range a.workers {
			running.Go(func() { a.work(ctx, slots) })
		}
		for {
			batch, err := receive(ctx, queue)
			if batch == nil && err == nil {
				return
			}
			if !yield(batch, err) || err != nil {
				return
			}
		}
	}
}

// feed hands the slots of all plans to the workers, until there are no more or
// ctx ends.
func (a assembler) feed(ctx context.Context, plans iter.Seq[batchPlan], queue chan<- *pending, slots chan<- slot) {
	defer close(queue)
	defer close(slots)
	for plan := range plans {
		p := &pending{plan: plan, errs: make([]error, len(plan.indices)), done: make(chan struct{})}
		p.left.Store(int64(len(plan.indices)))
		select {
		case queue <- p:
		case <-ctx.Done():
			return
		}
		// Only now, so that a full queue holds back the memory too.
		p.batch = newBatch(a.shapes[plan.bucket], plan)
		for i := range plan.indices {
			select {
			case slots <- slot{p, i}:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (a assembler) work(ctx context.Context, slots <-chan slot) {
	for s := range slots {
		// A slot may have been sent after the end: feed's select takes either.
		if ctx.Err() != nil {
			return
		}
		sample, err := a.sample(s.plan.indices[s.i], s.plan.epoch)
		if err == nil {
			err = s.batch.put(s.i, sample)
		}
		s.errs[s.i] = err
		if s.left.Add(-1) == 0 {
			close(s.done)
		}
	}
}

// receive waits for the next batch: nil and no error after the last. Of several
// bad samples in a batch the first is reported, so that a run fails alike each time.
func receive(ctx context.Context, queue <-chan *pending) (*Batch, error) {
	var p *pending
	select {
	case p = <-queue:
	case <-ctx.Done():
	}
	if p != nil {
		select {
		case <-p.done:
		case <-ctx.Done():
		}
	}
	// Asked last: select takes any case that is ready, and a batch that is should
	// not be preferred to the end.
	if err := ctx.Err(); err != nil || p == nil {
		return nil, err
	}
	for _, err := range p.errs {
		if err != nil {
			return nil, err
		}
	}
	return p.batch, nil
}

// newBatch is blank: zero images, and labels that say nothing, as large as the
// shape. put writes the samples into it, and what it does not write is padding.
func newBatch(shape BatchShape, plan batchPlan) *Batch {
	n := shape.N
	b := &Batch{
		Images: make([]uint8, n*shape.H*shape.W*3), N: n, H: shape.H, W: shape.W,
		Sizes:  make([]int32, 0, 2*n),
		Labels: make([]uint8, n*shape.LabelH*shape.LabelW), LabelH: shape.LabelH, LabelW: shape.LabelW,
		LabelSizes: make([]int32, 0, 2*n),
		Count:      len(plan.indices),
		Indices:    slices.Clone(plan.indices),
		IDs:        make([]string, len(plan.indices)),
		Epoch:      plan.epoch,
		Next:       plan.next,
	}
	for range n {
		b.Sizes = append(b.Sizes, int32(shape.H), int32(shape.W))
		b.LabelSizes = append(b.LabelSizes, int32(shape.LabelH), int32(shape.LabelW))
	}
	fillIgnore(b.Labels)
	return b
}

// put copies sample s to slot i.
func (b *Batch) put(i int, s Sample) error {
	size := extent{s.Image.Rect.Dy(), s.Image.Rect.Dx()}
	labelSize := size
	if s.Label != nil {
		labelSize = extent{s.Label.Rect.Dy(), s.Label.Rect.Dx()}
	}
	shape, labelShape := extent{b.H, b.W}, extent{b.LabelH, b.LabelW}
	if !shape.holds(size) || !labelShape.holds(labelSize) {
		return &SampleError{ID: s.ID, Err: fmt.Errorf(
			"its image of %dx%d and label of %dx%d do not fit a batch of %dx%d and %dx%d: resize or crop to the height and width given, or give none",
			size.h, size.w, labelSize.h, labelSize.w, shape.h, shape.w, labelShape.h, labelShape.w)}
	}
	b.IDs[i] = s.ID
	b.Sizes[2*i], b.Sizes[2*i+1] = int32(size.h), int32(size.w)
	b.LabelSizes[2*i], b.LabelSizes[2*i+1] = int32(labelSize.h), int32(labelSize.w)
	for y := range size.h {
		dst := b.Images[((i*b.H+y)*b.W)*3:][:3*size.w]
		src := s.Image.Pix[y*s.Image.Stride:][:4*size.w]
		for x := range size.w {
			*(*[3]uint8)(dst[3*x:]) = [3]uint8(src[4*x:])
		}
	}
	if s.Label == nil {
		return nil
	}
	for y := range labelSize.h {
		copy(b.Labels[(i*b.LabelH+y)*b.LabelW:][:labelSize.w], s.Label.Pix[y*s.Label.Stride:])
	}
	return nil
}
