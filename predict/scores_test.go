package predict

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// stretched is bilinear interpolation written for one value, with tents.
func stretched(s scores, c, y, x, h, w int) float64 {
	tent := func(i, from, to, at int) float64 {
		source := (float64(at)+0.5)*float64(from)/float64(to) - 0.5
		source = math.Min(math.Max(source, 0), float64(from-1))
		return math.Max(0, 1-math.Abs(source-float64(i)))
	}
	sum := 0.0
	for i := range s.h {
		for j := range s.w {
			sum += tent(i, s.h, h, y) * tent(j, s.w, w, x) * float64(s.values[c*s.plane+i*s.row+j])
		}
	}
	return sum
}

func TestScoresAreStretched(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct{ h, w, toH, toW int }{{4, 5, 9, 13}, {7, 6, 3, 2}, {1, 1, 4, 4}, {5, 4, 5, 9}, {3, 3, 3, 3}} {
		batchH, batchW := c.h+2, c.w+3 // padding, which must not be looked at
		logits := make([]float32, 2*2*batchH*batchW)
		for i := range logits {
			logits[i] = float32(rng.NormFloat64())
		}
		s := scoresOf(logits, 1, 2, batchH, batchW, c.h, c.w)
		rows := 0
		require.NoError(t, s.eachRow(c.toH, c.toW, func(y int, row [][]float32) error {
			require.Equal(t, rows, y)
			rows++
			for class := range row {
				require.Len(t, row[class], c.toW)
				for x, v := range row[class] {
					require.InDelta(t, stretched(s, class, y, x, c.toH, c.toW), float64(v), 1e-5)
				}
			}
			return nil
		}))
		require.Equal(t, c.toH, rows)
	}
}

func TestBestTakesTheFirstOfEqualScores(t *testing.T) {
	mask := make([]uint8, 3)
	best([][]float32{{1, 2, 3}, {1, 5, 2}, {0, 5, 3}}, mask)
	require.Equal(t, []uint8{0, 1, 0}, mask)
}
