package train

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// slowLargestBatch asks for one batch after the other.
func slowLargestBatch(unit, most int, limit int64, needed func(int) int64) int {
	best := 0
	for n := unit; (n <= most || n == unit) && needed(n) <= limit; n *= 2 {
		best = n
	}
	return best
}

// The largest batch that fits is found by three compilations where memory is a straight
// line, and by a few more where it is not quite one.
func TestLargestBatch(t *testing.T) {
	line := func(n int) int64 { return 1000 + 100*int64(n) }
	bent := func(n int) int64 { return 1000 + 100*int64(n) + int64(n*n) } // more than two batches foretell
	tests := map[string]struct {
		unit, most int
		limit      int64
		needed     func(int) int64
		want       BatchFit
		asked      []int
	}{
		"one":                     {1, 64, 1199, line, BatchFit{1, 1100, 1200}, []int{1, 2}},
		"two":                     {1, 64, 1399, line, BatchFit{2, 1200, 1400}, []int{1, 2}},
		"four, to the byte":       {1, 64, 1400, line, BatchFit{4, 1400, 1800}, []int{1, 2, 4}},
		"many":                    {1, 1000, 5000, line, BatchFit{32, 4200, 7400}, []int{1, 2, 32}},
		"all that there are":      {1, 9, 5000, line, BatchFit{8, 1800, 0}, []int{1, 2, 8}},
		"a single one":            {1, 1, 5000, line, BatchFit{1, 1100, 0}, []int{1}},
		"fewer than devices":      {4, 3, 5000, line, BatchFit{4, 1400, 0}, []int{4}},
		"multiples of 3":          {3, 100, 2500, line, BatchFit{12, 2200, 3400}, []int{3, 6, 12}},
		"not quite a line":        {1, 1000, 5000, bent, BatchFit{16, 2856, 5224}, []int{1, 2, 32, 16}},
		"the same for every size": {1, 1000, 5000, func(int) int64 { return 7 }, BatchFit{512, 7, 0}, []int{1, 2, 512}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var asked []int
			fit, err := LargestBatch(test.unit, test.most, test.limit, func(n int) (int64, error) {
				asked = append(asked, n)
				return test.needed(n), nil
			})
			require.NoError(t, err)
			require.Equal(t, test.want, fit)
			require.Equal(t, test.asked, asked)
			require.Equal(t, slowLargestBatch(test.unit, test.most, test.limit, test.needed), fit.Batch)
		})
	}

	_, err := LargestBatch(2, 64, 1199, func(n int) (int64, error) { return line(n), nil })
	var none *NoBatchError
	require.ErrorAs(t, err, &none)
	require.Equal(t, NoBatchError{2, 1200, 1199}, *none)
	broken := errors.New("out of memory while compiling")
	for at := range 3 {
		calls := 0
		_, err = LargestBatch(1, 64, 5000, func(n int) (int64, error) {
			if calls++; calls > at {
				return 0, broken
			}
			return line(n), nil
		})
		require.ErrorIs(t, err, broken)
	}
}
