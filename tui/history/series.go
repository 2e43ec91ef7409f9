package history

import (
	"math"
	"slices"
	"sort"
)

const (
	rawPoints  = 4096 // the newest, kept as they are
	maxBuckets = 4096
)

// Series is a value by step in bounded memory: the newest 4096 points as they
// are, and all of them in at most 4096 buckets, whose width doubles when there are
// more. What a bucket keeps of its points is their range, so that neither a spike
// nor a NaN ever vanishes. The zero Series is empty and ready.
type Series struct {
	ring    []point  // the newest points; a circle once it is full
	head    int      // of the oldest of them
	buckets []bucket // in order, none empty
	width   int64    // steps a bucket has room for: a power of two; 0: no bucket yet
}

type point struct {
	step  int64
	value float64
}

// bucket sums up the points of (k*width, (k+1)*width] for some k.
type bucket struct {
	first, last   int64 // steps of its oldest and newest point
	n, bad        int   // finite values, and the others
	min, max, sum float64
}

func (b *bucket) add(p point) {
	b.last = p.step
	if math.IsNaN(p.value) || math.IsInf(p.value, 0) {
		b.bad++
		return
	}
	b.merge(bucket{last: p.step, n: 1, min: p.value, max: p.value, sum: p.value})
}

// merge takes in the bucket that follows.
func (b *bucket) merge(o bucket) {
	b.last = o.last
	b.bad += o.bad
	switch {
	case o.n == 0:
	case b.n == 0:
		b.n, b.min, b.max, b.sum = o.n, o.min, o.max, o.sum
	default:
		b.n += o.n
		b.min, b.max = min(b.min, o.min), max(b.max, o.max)
		b.sum += o.sum
	}
}

// Add appends the value of a step. Where a step comes again, or an earlier one, it
// and all after it are forgotten first: the later ones count.
func (s *Series) Add(step int64, value float64) {
	if _, last, ok := s.Bounds(); ok && step <= last {
		s.Truncate(step - 1)
		if step == math.MinInt64 {
			*s = Series{}
		}
	}
	p := point{step, value}
	if len(s.ring) < rawPoints {
		s.ring = append(s.ring, p)
	} else {
		s.ring[s.head] = p
		s.head = (s.head + 1) % rawPoints
	}
	if s.width == 0 {
		s.width = 1
	}
	s.put(p)
	for len(s.buckets) > maxBuckets {
		s.double()
	}
}

// put adds p to the last bucket, or to a new one when it lies beyond that.
func (s *Series) put(p point) {
	if n := len(s.buckets); n > 0 && s.place(s.buckets[n-1].first) == s.place(p.step) {
		s.buckets[n-1].add(p)
		return
	}
	b := bucket{first: p.step}
	b.add(p)
	s.buckets = append(s.buckets, b)
}

// place numbers the bucket of a step. It divides downwards, because hostile files
// have negative steps.
func (s *Series) place(step int64) int64 {
	if step == math.MinInt64 {
		step++
	}
	step--
	at := step / s.width
	if step%s.width < 0 {
		at--
	}
	return at
}

// double makes buckets twice as wide. Where steps lie far apart, it takes several
// times until there are fewer.
func (s *Series) double() {
	s.width *= 2
	kept := s.buckets[:1]
	for _, b := range s.buckets[1:] {
		if last := &kept[len(kept)-1]; s.place(last.first) == s.place(b.first) {
			last.merge(b)
		} else {
			kept = append(kept, b)
		}
	}
	s.buckets = kept
}

// Truncate forgets the steps after a step. Where the bucket that holds the cut is
// older than the newest 4096 points, its range still is that of all its points.
func (s *Series) Truncate(after int64) {
	old := s.raw(0)
	keep := sort.Search(len(s.ring), func(i int) bool { return s.raw(i).step > after })
	if s.head > 0 {
		s.ring, s.head = slices.Concat(s.ring[s.head:], s.ring[:s.head]), 0
	}
	s.ring = s.ring[:keep]

	n := sort.Search(len(s.buckets), func(i int) bool { return s.buckets[i].first > after })
	s.buckets = s.buckets[:n]
	if n == 0 {
		*s = Series{}
		return
	}
	b := &s.buckets[n-1]
	if b.last <= after {
		return
	}
	if old.step <= b.first {
		again := bucket{first: b.first}
		from := sort.Search(keep, func(i int) bool { return s.ring[i].step >= b.first })
		for _, p := range s.ring[from:] {
			again.add(p)
		}
		*b = again
		return
	}
	// Some of its points are gone, and nobody knows which: it keeps the share that
	// its steps have, and the mean.
	share := float64(after-b.first+1) / float64(b.last-b.first+1)
	if b.n > 0 {
		n := max(1, int(float64(b.n)*share))
		b.sum *= float64(n) / float64(b.n)
		b.n = n
	}
	b.last = after
}

// raw is the i-th of the points that are kept as they are, from the oldest.
func (s *Series) raw(i int) point {
	if len(s.ring) == 0 {
		return point{step: math.MaxInt64}
	}
	return s.ring[(s.head+i)%len(s.ring)]
}

// Bounds are the first and the last step; ok is false when there is none.
func (s *Series) Bounds() (first, last int64, ok bool) {
	if len(s.buckets) == 0 {
		return 0, 0, false
	}
	return s.buckets[0].first, s.buckets[len(s.buckets)-1].last, true
}

// Last is the value of the last step; NaN when there is none, or when a cut has
// taken the newest points away and no step came since.
func (s *Series) Last() float64 {
	if len(s.ring) == 0 {
		return math.NaN()
	}
	return s.raw(len(s.ring) - 1).value
}
