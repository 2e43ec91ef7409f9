package score_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/score"
)

// The measures of section 5 of the paper, on a matrix small enough for paper and
// pencil:
//
//	            taken for
//	            0   1   2
//	class 0:   50   5   5    60 pixels
//	class 1:   10  20   0    30 pixels
//	class 2:    0   0  10    10 pixels
//	           60  25  15   100 pixels
func threeClasses(t *testing.T) score.Measures {
	t.Helper()
	c := score.New(3)
	require.NoError(t, c.AddCounts([]int64{50, 5, 5, 10, 20, 0, 0, 0, 10}))
	return c.Measures()
}

func TestPaperSection5PixelAccuracy(t *testing.T) {
	assert.InDelta(t, (50+20+10)/100.0, threeClasses(t).PixelAccuracy, 1e-15)
}

func TestPaperSection5MeanAccuracy(t *testing.T) {
	m := threeClasses(t)
	assert.InDeltaSlice(t, []float64{50 / 60.0, 20 / 30.0, 10 / 10.0}, m.ClassAccuracy, 1e-15)
	assert.InDelta(t, (0.8333333333333334+0.6666666666666666+1)/3, m.MeanAccuracy, 1e-15)
}

func TestPaperSection5MeanIU(t *testing.T) {
	m := threeClasses(t)
	// 50/(60+60-50), 20/(30+25-20), 10/(10+15-10)
	assert.InDeltaSlice(t, []float64{50 / 70.0, 20 / 35.0, 10 / 15.0}, m.ClassIoU, 1e-15)
	assert.InDelta(t, 0.6507936507936508, m.MeanIoU, 1e-15)
}

func TestPaperSection5FrequencyWeightedIU(t *testing.T) {
	want := (60*(50/70.0) + 30*(20/35.0) + 10*(10/15.0)) / 100
	assert.InDelta(t, want, threeClasses(t).FwIoU, 1e-15)
	assert.InDelta(t, 0.6666666666666666, want, 1e-15)
}

// Three of the 33 classes of SIFT Flow are absent from its test set; the authors'
// code leaves them out of the means.
func TestPaperAbsentClassIsLeftOut(t *testing.T) {
	c := score.New(4)
	// Class 1 is predicted and never true; class 3 is neither.
	require.NoError(t, c.AddCounts([]int64{
		6, 2, 0, 0,
		0, 0, 0, 0,
		0, 0, 4, 0,
		0, 0, 0, 0,
	}))
	m := c.Measures()
	assert.InDelta(t, 0.75, m.ClassIoU[0], 1e-15)
	assert.Zero(t, m.ClassIoU[1], "predicted where it never was: wrong, not absent")
	assert.InDelta(t, 1, m.ClassIoU[2], 1e-15)
	assert.True(t, math.IsNaN(m.ClassIoU[3]))
	assert.InDelta(t, 1.75/3, m.MeanIoU, 1e-15)

	assert.True(t, math.IsNaN(m.ClassAccuracy[1]), "no labels, no accuracy")
	assert.True(t, math.IsNaN(m.ClassAccuracy[3]))
	assert.InDelta(t, (0.75+1)/2, m.MeanAccuracy, 1e-15)
	assert.InDelta(t, (8*0.75+4*1)/12, m.FwIoU, 1e-15)
}

func TestNothingCountedIsNaN(t *testing.T) {
	c := score.New(2)
	require.NoError(t, c.Observe([]uint8{score.Ignore, score.Ignore}, []uint8{0, 1}))
	m := c.Measures()
	for _, v := range []float64{m.PixelAccuracy, m.MeanAccuracy, m.MeanIoU, m.FwIoU, m.ClassIoU[0], m.ClassAccuracy[1]} {
		assert.True(t, math.IsNaN(v))
	}
	assert.Zero(t, c.Pixels())
}
