package plot

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// dotted is what is lit, looked at dot by dot.
func dotted(r *raster) [][]bool {
	lit := make([][]bool, r.width())
	for x := range lit {
		lit[x] = make([]bool, r.height())
		for y := range lit[x] {
			lit[x][y] = r.cell(x, y).line&bits[y%4][x%2] != 0
		}
	}
	return lit
}

// A line has a dot in each of its columns, no dot that is not on its way, and no
// gap that an eye could fall into.
func TestLineIsJoined(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		r := newRaster(1+rng.IntN(20), 1+rng.IntN(8))
		x0, x1 := rng.IntN(r.width()), rng.IntN(r.width())
		x0, x1 = min(x0, x1), max(x0, x1)
		if x0 == x1 {
			continue
		}
		y0, y1 := rng.Float64()*float64(r.height()-1), rng.Float64()*float64(r.height()-1)
		r.line(x0, y0, x1, y1, 0)
		lit := dotted(r)
		lastLow, lastHigh := -1, -1
		for x := range lit {
			low, high, n := -1, -1, 0
			for y, on := range lit[x] {
				if on {
					if low < 0 {
						low = y
					}
					high = y
					n++
				}
			}
			if x < x0 || x > x1 {
				require.Zero(t, n, "beside the line")
				continue
			}
			require.Positive(t, n, "column %d of %d..%d", x, x0, x1)
			require.Equal(t, high-low+1, n, "a hole in a column")
			require.GreaterOrEqual(t, float64(low), math.Floor(min(y0, y1)))
			require.LessOrEqual(t, float64(high), math.Ceil(max(y0, y1)))
			if x > x0 {
				require.LessOrEqual(t, max(low, lastLow)-min(high, lastHigh), 1, "a gap between columns")
			}
			lastLow, lastHigh = low, high
		}
	}
}

// What leaves the raster is cut off at its edge, and what is inside stays.
func TestLineIsClipped(t *testing.T) {
	r := newRaster(4, 2)
	r.line(-1000, -1e12, 1000, 1e12, 0)
	r.line(0, -5, 7, 100, 0)
	for x, column := range dotted(r) {
		for y, on := range column {
			require.False(t, on && x == 0 && y > 6, "the second line starts at the top")
		}
	}
	r = newRaster(4, 2)
	r.line(2, 3, 5, 3, 0)
	for x, column := range dotted(r) {
		for y, on := range column {
			require.Equal(t, x >= 2 && x <= 5 && y == 3, on)
		}
	}
}
