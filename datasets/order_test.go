package datasets

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEpochOrder(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 1000} {
		order := epochOrder(7, 3, n, true)
		require.Equal(t, order, epochOrder(7, 3, n, true), "the same order each time")
		sorted := slices.Sorted(slices.Values(order))
		require.Equal(t, epochOrder(7, 3, n, false), sorted, "a permutation")
	}
	require.NotEqual(t, epochOrder(7, 3, 100, true), epochOrder(7, 4, 100, true))
	require.NotEqual(t, epochOrder(7, 3, 100, true), epochOrder(8, 3, 100, true))
}

// Runs are resumed by other builds of the program: what a seed means must never
// change. If this test fails, the change under test is wrong, not the numbers.
func TestChanceIsPinned(t *testing.T) {
	require.Equal(t, []int{1, 2, 9, 3, 6, 7, 4, 8, 0, 5}, epochOrder(1, 0, 10, true))
	require.Equal(t, uint64(0xadcccf00243f8e8), sampleRNG(1, 2, 3).Uint64())
}

func TestSampleRNG(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(10) {
		for epoch := range 10 {
			for index := range 10 {
				first := sampleRNG(seed, epoch, index).Uint64()
				require.Equal(t, first, sampleRNG(seed, epoch, index).Uint64())
				seen[first] = true
			}
		}
	}
	require.Len(t, seen, 1000, "neighbours must not be alike")
}

// Each sample must come to each place equally often: chi-squared over 20 places
// of 4000 epochs, against a bound that chance passes once in a million seeds.
func TestEpochOrderIsEven(t *testing.T) {
	const n, epochs = 20, 4000
	var counts [n][n]int
	for epoch := range epochs {
		for place, index := range epochOrder(11, epoch, n, true) {
			counts[place][index]++
		}
	}
	const expected = float64(epochs) / n
	sum := 0.0
	for _, row := range counts {
		for _, count := range row {
			sum += (float64(count) - expected) * (float64(count) - expected) / expected
		}
	}
	require.Less(t, sum, 500.0) // 361 degrees of freedom, 4.75 standard deviations above
}
