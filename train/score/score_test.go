package score_test

import (
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/score"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// slowMeasures looks at every pixel once for every class, and never makes a
// matrix.
func slowMeasures(classes int, truth, prediction []uint8) score.Measures {
	m := score.Measures{ClassIoU: make([]float64, classes), ClassAccuracy: make([]float64, classes)}
	right, total := 0, 0
	for p := range truth {
		if truth[p] != score.Ignore {
			total++
			if truth[p] == prediction[p] {
				right++
			}
		}
	}
	iouSum, iouN, accuracySum, accuracyN, weighted := 0.0, 0, 0.0, 0, 0.0
	for k := range classes {
		is, was, both := 0, 0, 0
		for p := range truth {
			if truth[p] == score.Ignore {
				continue
			}
			isK, wasK := int(truth[p]) == k, int(prediction[p]) == k
			if isK {
				is++
			}
			if isK || wasK {
				was++
			}
			if isK && wasK {
				both++
			}
		}
		m.ClassIoU[k], m.ClassAccuracy[k] = math.NaN(), math.NaN()
		if was > 0 {
			m.ClassIoU[k] = float64(both) / float64(was)
			iouSum, iouN = iouSum+m.ClassIoU[k], iouN+1
		}
		if is > 0 {
			m.ClassAccuracy[k] = float64(both) / float64(is)
			accuracySum, accuracyN = accuracySum+m.ClassAccuracy[k], accuracyN+1
			weighted += float64(is) * m.ClassIoU[k]
		}
	}
	m.PixelAccuracy = float64(right) / float64(total)
	m.MeanAccuracy = accuracySum / float64(accuracyN)
	m.MeanIoU = iouSum / float64(iouN)
	m.FwIoU = weighted / float64(total)
	return m
}

func TestMeasuresEqualTheSlowTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		classes := 1 + rng.IntN(12)
		truth := make([]uint8, rng.IntN(200))
		prediction := make([]uint8, len(truth))
		// Few of the classes occur, so that absent ones do too.
		occurring := 1 + rng.IntN(classes)
		for p := range truth {
			truth[p], prediction[p] = uint8(rng.IntN(occurring)), uint8(rng.IntN(classes))
			if rng.IntN(5) == 0 {
				truth[p] = score.Ignore
			}
		}

		// In two parts, added: the same as in one.
		cut := 0
		if len(truth) > 0 {
			cut = rng.IntN(len(truth))
		}
		c, rest := score.New(classes), score.New(classes)
		require.NoError(t, c.Observe(truth[:cut], prediction[:cut]))
		require.NoError(t, rest.Observe(truth[cut:], prediction[cut:]))
		require.NoError(t, c.Add(rest))

		want, got := slowMeasures(classes, truth, prediction), c.Measures()
		same := func(want, got float64) {
			t.Helper()
			if math.IsNaN(want) {
				require.True(t, math.IsNaN(got), "want NaN, got %v", got)
				return
			}
			require.InDelta(t, want, got, 1e-12)
		}
		same(want.PixelAccuracy, got.PixelAccuracy)
		same(want.MeanAccuracy, got.MeanAccuracy)
		same(want.MeanIoU, got.MeanIoU)
		same(want.FwIoU, got.FwIoU)
		for k := range classes {
			same(want.ClassIoU[k], got.ClassIoU[k])
			same(want.ClassAccuracy[k], got.ClassAccuracy[k])
		}
	}
}

func TestBadCountsChangeNothing(t *testing.T) {
	tests := map[string]struct {
		do   func(c *score.Confusion) error
		want string
	}{
		"other size":     {func(c *score.Confusion) error { return c.Add(score.New(3)) }, "a confusion of 3 classes does not add to one of 2"},
		"short":          {func(c *score.Confusion) error { return c.AddCounts([]int64{1, 2, 3}) }, "3 counts do not make a confusion of 2 classes, which has 4"},
		"negative":       {func(c *score.Confusion) error { return c.AddCounts([]int64{1, 2, -3, 4}) }, "a count of -3 pixels of class 1 taken for class 0"},
		"lengths":        {func(c *score.Confusion) error { return c.Observe([]uint8{1}, nil) }, "1 labels for 0 predictions"},
		"label":          {func(c *score.Confusion) error { return c.Observe([]uint8{1, 2}, []uint8{1, 1}) }, "label 2 at pixel 1, where classes end at 1"},
		"prediction":     {func(c *score.Confusion) error { return c.Observe([]uint8{1, 1}, []uint8{1, 9}) }, "prediction 9 at pixel 1, where classes end at 1"},
		"prediction 255": {func(c *score.Confusion) error { return c.Observe([]uint8{1}, []uint8{255}) }, "prediction 255 at pixel 0, where classes end at 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := score.New(2)
			require.NoError(t, c.AddCounts([]int64{1, 2, 3, 4}))
			require.EqualError(t, test.do(c), test.want)
			require.Equal(t, []int64{1, 2, 3, 4}, c.Counts())
		})
	}
}

func TestTable(t *testing.T) {
	c := score.New(4)
	require.NoError(t, c.AddCounts([]int64{
		900, 10, 0, 0,
		30, 55, 5, 0,
		0, 0, 0, 0,
		0, 0, 0, 0,
	}))
	var b strings.Builder
	require.NoError(t, c.Table(&b, []string{"background", "überholspur-schild", "disc", "sky\x1b[2J"}))
	golden := filepath.Join("testdata", "table.golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String())

	require.EqualError(t, c.Table(&b, []string{"one"}), "1 names for 4 classes")
}

func TestTableOfNothing(t *testing.T) {
	var b strings.Builder
	require.NoError(t, score.New(1).Table(&b, []string{"only"}))
	require.NotContains(t, b.String(), "NaN")
}
