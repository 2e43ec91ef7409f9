package datasets

import (
	"math"
	"slices"
)

// bucketing assigns samples to the few extents that batches have.
type bucketing struct {
	shapes []extent // ascending, no two alike
	of     []int    // the index in shapes of each sample
}

// oneBucket puts n samples into one shape.
func oneBucket(n int, shape extent) bucketing {
	return bucketing{[]extent{shape}, make([]int, n)}
}

// paddingWaste is the share of the pixels of the shapes that are not samples'.
func (b bucketing) paddingWaste(sizes []extent) float64 {
	var used, total float64
	for i, size := range sizes {
		used += float64(size.area())
		total += float64(b.shapes[b.of[i]].area())
	}
	return 1 - used/total
}

// members lists the samples of each bucket, in the given order.
func (b bucketing) members(order []int) [][]int {
	members := make([][]int, len(b.shapes))
	for _, i := range order {
		members[b.of[i]] = append(members[b.of[i]], i)
	}
	return members
}

// chooseBuckets assigns sizes to at most k shapes whose sides are multiples of
// multiple. It starts with a bucket for each size (rounded up) and merges, again
// and again, the two buckets whose union adds the least padding over all of their
// samples; of equal merges, the one of the smallest sizes. Buckets of the same
// shape are always merged.
func chooseBuckets(sizes []extent, k, multiple int) bucketing {
	counts := make(map[extent]int64)
	for _, size := range sizes {
		counts[size.roundUp(multiple)]++
	}
	var m merger
	for size, count := range counts {
		m.clusters = append(m.clusters, cluster{shape: size, count: count})
	}
	slices.SortFunc(m.clusters, func(a, b cluster) int { return compareExtents(a.shape, b.shape) })
	first := make(map[extent]int, len(m.clusters)) // the cluster that a size began in
	for i := range m.clusters {
		m.clusters[i].into = i
		first[m.clusters[i].shape] = i
	}
	m.mergeDownTo(k)

	var b bucketing
	for i, c := range m.clusters {
		if c.into == i {
			b.shapes = append(b.shapes, c.shape)
		}
	}
	slices.SortFunc(b.shapes, compareExtents)
	b.of = make([]int, len(sizes))
	for i, size := range sizes {
		shape := m.clusters[m.survivor(first[size.roundUp(multiple)])].shape
		b.of[i], _ = slices.BinarySearchFunc(b.shapes, shape, compareExtents)
	}
	return b
}

// merger remembers the best partner of each cluster among those after it, so that
// a merge looks at the clusters whose partner it took and not at all pairs: data
// sets from the web have thousands of sizes.
type merger struct{ clusters []cluster }

type cluster struct {
	shape extent
	count int64 // samples
	into  int   // itself, or the cluster that swallowed it

	partner int   // the cheapest to merge with among those after it; -1: none
	cost    int64 // of that, in pixels
}

func (m *merger) mergeDownTo(k int) {
	left := len(m.clusters)
	for i := range m.clusters {
		m.findPartner(i)
	}
	for left > 1 {
		a := m.cheapest()
		if left <= k && m.clusters[a].cost > 0 {
			return
		}
		m.merge(a, m.clusters[a].partner)
		left--
	}
}

// cheapest is the first cluster with the lowest cost.
func (m *merger) cheapest() int {
	best, cost := -1, int64(math.MaxInt64)
	for i, c := range m.clusters {
		if c.into == i && c.partner >= 0 && c.cost < cost {
			best, cost = i, c.cost
		}
	}
	return best
}

// merge lets cluster a swallow cluster b > a.
func (m *merger) merge(a, b int) {
	m.clusters[a].shape = m.clusters[a].shape.join(m.clusters[b].shape)
	m.clusters[a].count += m.clusters[b].count
	m.clusters[b].into = a
	for i := range b {
		c := &m.clusters[i]
		switch {
		case c.into != i:
		case i == a, c.partner == a, c.partner == b:
			m.findPartner(i)
		case i < a:
			if cost := m.cost(i, a); cost < c.cost || cost == c.cost && a < c.partner {
				c.partner, c.cost = a, cost
			}
		}
	}
}

func (m *merger) findPartner(i int) {
	c := &m.clusters[i]
	c.partner, c.cost = -1, math.MaxInt64
	for j := i + 1; j < len(m.clusters); j++ {
		if m.clusters[j].into != j {
			continue
		}
		if cost := m.cost(i, j); cost < c.cost {
			c.partner, c.cost = j, cost
		}
	}
}

// cost is the number of pixels that merging two clusters adds to their samples.
func (m *merger) cost(i, j int) int64 {
	a, b := &m.clusters[i], &m.clusters[j]
	area := a.shape.join(b.shape).area()
	return a.count*(area-a.shape.area()) + b.count*(area-b.shape.area())
}

func (m *merger) survivor(i int) int {
	for m.clusters[i].into != i {
		i = m.clusters[i].into
	}
	return i
}
