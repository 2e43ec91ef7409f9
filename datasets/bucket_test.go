package datasets

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// slowBuckets merges by looking at all pairs each time, over plain lists.
func slowBuckets(sizes []extent, k, multiple int) bucketing {
	type bucket struct {
		shape   extent
		members []int
	}
	cost := func(a, b bucket) int64 {
		area := a.shape.join(b.shape).area()
		return int64(len(a.members))*(area-a.shape.area()) + int64(len(b.members))*(area-b.shape.area())
	}
	var buckets []bucket
	for i, size := range sizes {
		shape := size.roundUp(multiple)
		at := slices.IndexFunc(buckets, func(b bucket) bool { return b.shape == shape })
		if at < 0 {
			buckets = append(buckets, bucket{shape: shape})
			at = len(buckets) - 1
		}
		buckets[at].members = append(buckets[at].members, i)
	}
	slices.SortFunc(buckets, func(a, b bucket) int { return compareExtents(a.shape, b.shape) })
	for len(buckets) > 1 {
		bestA, bestB, best := 0, 0, int64(math.MaxInt64)
		for a := range buckets {
			for b := a + 1; b < len(buckets); b++ {
				if c := cost(buckets[a], buckets[b]); c < best {
					bestA, bestB, best = a, b, c
				}
			}
		}
		if len(buckets) <= k && best > 0 {
			break
		}
		buckets[bestA].shape = buckets[bestA].shape.join(buckets[bestB].shape)
		buckets[bestA].members = append(buckets[bestA].members, buckets[bestB].members...)
		buckets = slices.Delete(buckets, bestB, bestB+1)
	}
	slices.SortFunc(buckets, func(a, b bucket) int { return compareExtents(a.shape, b.shape) })
	result := bucketing{of: make([]int, len(sizes))}
	for i, b := range buckets {
		result.shapes = append(result.shapes, b.shape)
		for _, member := range b.members {
			result.of[member] = i
		}
	}
	return result
}

// leastPadding tries every way to put sizes into at most k buckets.
func leastPadding(sizes []extent, k, multiple int) int64 {
	shapes, counts := make([]extent, k), make([]int64, k)
	var try func(i, used int) int64
	try = func(i, used int) int64 {
		if i == len(sizes) {
			total := int64(0)
			for b := range used {
				total += counts[b] * shapes[b].area()
			}
			return total
		}
		best := int64(math.MaxInt64)
		for b := range min(used+1, k) {
			before := shapes[b]
			shapes[b] = before.join(sizes[i].roundUp(multiple))
			counts[b]++
			best = min(best, try(i+1, max(used, b+1)))
			counts[b]--
			shapes[b] = before
		}
		return best
	}
	return try(0, 0)
}

func checkBuckets(t *testing.T, sizes []extent, k, multiple int) bucketing {
	t.Helper()
	got := chooseBuckets(sizes, k, multiple)
	require.Equal(t, slowBuckets(sizes, k, multiple), got, "sizes %v, at most %d, multiple %d", sizes, k, multiple)
	require.LessOrEqual(t, len(got.shapes), k)
	used := map[int]bool{}
	for i, size := range sizes {
		require.True(t, got.shapes[got.of[i]].holds(size))
		used[got.of[i]] = true
	}
	require.Len(t, used, len(got.shapes), "no empty bucket")
	for _, shape := range got.shapes {
		require.Zero(t, shape.h%multiple+shape.w%multiple)
	}
	return got
}

func TestChooseBuckets(t *testing.T) {
	for name, c := range map[string]struct {
		sizes       []extent
		k, multiple int
		want        []extent
	}{
		"one size":              {repeat(5, 360, 480), 4, 32, []extent{{384, 480}}},
		"rounded to the same":   {[]extent{{30, 30}, {31, 32}, {32, 25}}, 4, 32, []extent{{32, 32}}},
		"any side":              {[]extent{{30, 30}, {31, 32}}, 4, 1, []extent{{30, 30}, {31, 32}}},
		"portrait, landscape":   {[]extent{{500, 333}, {333, 500}, {500, 375}, {375, 500}}, 2, 1, []extent{{375, 500}, {500, 375}}},
		"the cheap pair":        {[]extent{{10, 10}, {10, 11}, {50, 50}}, 2, 1, []extent{{10, 11}, {50, 50}}},
		"counts weigh":          {append(repeat(100, 10, 10), extent{10, 12}, extent{10, 16}), 2, 1, []extent{{10, 10}, {10, 16}}},
		"one for all":           {[]extent{{10, 20}, {20, 10}}, 1, 1, []extent{{20, 20}}},
		"union that is a shape": {[]extent{{10, 20}, {20, 10}, {20, 20}, {90, 90}, {91, 90}}, 3, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := checkBuckets(t, c.sizes, c.k, c.multiple)
			if c.want != nil {
				require.Equal(t, c.want, got.shapes)
			}
		})
	}
}

// Greedy merging is not the best there is; on small cases it must not be far off.
func TestChooseBucketsIsNearTheBest(t *testing.T) {
	rng := testRNG(3)
	var got, best float64
	for range 150 {
		sizes := randomSizes(rng, 1+rng.IntN(7), 12)
		k := 1 + rng.IntN(3)
		b := checkBuckets(t, sizes, k, 1)
		total := int64(0)
		for i := range sizes {
			total += b.shapes[b.of[i]].area()
		}
		least := leastPadding(sizes, k, 1)
		require.GreaterOrEqual(t, total, least)
		require.LessOrEqual(t, float64(total), 1.5*float64(least))
		got, best = got+float64(total), best+float64(least)
	}
	require.Less(t, got/best, 1.02, "padded pixels against the least possible")
}

// Sides of one to four pixels make many merges equally cheap.
func TestChooseBucketsBreaksTies(t *testing.T) {
	rng := testRNG(5)
	for range 2000 {
		checkBuckets(t, randomSizes(rng, 1+rng.IntN(12), 4), 1+rng.IntN(4), 1)
	}
}

func TestChooseBucketsDoesNotDependOnTheOrder(t *testing.T) {
	rng := testRNG(4)
	sizes := randomSizes(rng, 300, 600)
	want := chooseBuckets(sizes, 4, 32)
	order := rng.Perm(len(sizes))
	shuffled := make([]extent, len(sizes))
	for i, j := range order {
		shuffled[i] = sizes[j]
	}
	got := chooseBuckets(shuffled, 4, 32)
	require.Equal(t, want.shapes, got.shapes)
	for i, j := range order {
		require.Equal(t, want.of[j], got.of[i])
	}
}

func randomSizes(rng *rand.Rand, n, largest int) []extent {
	sizes := make([]extent, n)
	for i := range sizes {
		sizes[i] = extent{1 + rng.IntN(largest), 1 + rng.IntN(largest)}
	}
	return sizes
}

func FuzzChooseBuckets(f *testing.F) {
	memtest.Cap(f)
	f.Add(uint8(2), uint8(1), []byte{1, 2, 2, 1, 2, 2, 9, 9})
	f.Add(uint8(4), uint8(32), []byte{200, 100, 100, 200, 37, 41, 255, 255, 3, 200})
	f.Add(uint8(1), uint8(7), []byte{0, 0, 5, 9})
	f.Fuzz(func(t *testing.T, k, multiple uint8, sides []byte) {
		if k == 0 || multiple == 0 || len(sides) < 2 || len(sides) > 120 {
			return
		}
		var sizes []extent
		for i := 0; i+1 < len(sides); i += 2 {
			sizes = append(sizes, extent{1 + int(sides[i]), 1 + int(sides[i+1])})
		}
		checkBuckets(t, sizes, int(k), int(multiple))
	})
}

func TestPaddingWaste(t *testing.T) {
	b := bucketing{shapes: []extent{{10, 10}, {20, 20}}, of: []int{0, 1, 1}}
	waste := b.paddingWaste([]extent{{10, 10}, {20, 10}, {20, 20}})
	require.InDelta(t, 200.0/900, waste, 1e-12)
}
