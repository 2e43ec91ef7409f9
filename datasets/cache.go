package datasets

import (
	"slices"
	"sync"
)

// cache keeps decoded samples until it is full and then no more: it evicts
// nothing, so that a data set larger than the limit still has a part of every
// epoch for free, and memory grows to one known size. It is safe for concurrent
// use; what it hands out is the caller's to write into.
type cache struct {
	load  func(i int) (Sample, error)
	limit int64 // bytes of pixels

	mu      sync.Mutex
	used    int64
	samples map[int]Sample
}

func newCache(limit int64, load func(i int) (Sample, error)) *cache {
	return &cache{load: load, limit: limit, samples: make(map[int]Sample)}
}

func (c *cache) at(i int) (Sample, error) {
	c.mu.Lock()
	kept, found := c.samples[i]
	c.mu.Unlock()
	if found {
		return kept.clone(), nil
	}
	// Not under the lock: workers decode side by side. Two that want the same
	// sample both decode it, and the second finds it kept.
	s, err := c.load(i)
	if err != nil {
		return s, err
	}
	c.mu.Lock()
	_, found = c.samples[i]
	keep := !found && c.used+s.bytes() <= c.limit
	if keep {
		c.used += s.bytes()
		c.samples[i] = s
	}
	c.mu.Unlock()
	if keep {
		return s.clone(), nil
	}
	return s, nil
}

// bytes of pixels.
func (s Sample) bytes() int64 {
	n := len(s.Image.Pix)
	if s.Label != nil {
		n += len(s.Label.Pix)
	}
	return int64(n)
}

func (s Sample) clone() Sample {
	img := *s.Image
	img.Pix = slices.Clone(img.Pix)
	s.Image = &img
	if s.Label != nil {
		label := *s.Label
		label.Pix = slices.Clone(label.Pix)
		s.Label = &label
	}
	return s
}
