package predict

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Every pixel of a side is taken once, from a tile that holds all that the pixel
// looks at, and tiles begin on the grid of the poolings.
func TestSpans(t *testing.T) {
	for _, tile := range []int{MinTile, 1024, 1536} {
		for n := 1; n < 6000; n += 13 {
			list, size := spans(n, tile, 32)
			padded := (n + stride - 1) / stride * stride
			require.LessOrEqual(t, size, tile)
			require.Zero(t, size%stride)
			next := 0
			for _, s := range list {
				require.Zero(t, s.start%stride)
				require.Equal(t, next, s.from)
				require.Greater(t, s.to, s.from)
				require.LessOrEqual(t, s.start+size, padded, "%d of %d", n, tile)
				require.LessOrEqual(t, s.start, max(0, s.from-reach), "%d of %d: %v sees too little before", n, tile, s)
				require.GreaterOrEqual(t, s.start+size, min(padded, s.to+reach), "%d of %d: %v sees too little behind", n, tile, s)
				next = s.to
			}
			require.Equal(t, n, next)
			if padded <= tile {
				require.Len(t, list, 1)
			}
		}
	}
}

func TestSpanOfOneTile(t *testing.T) {
	_, size := spans(100, MinTile, 32)
	require.Equal(t, 128, size)
	_, size = spans(100, MinTile, 1)
	require.Equal(t, 100, size)
}
