package datasets

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// slowJitter takes the three steps one after the other, in real numbers.
func slowJitter(s Sample, brightness, contrast, saturation float64) []float64 {
	n := len(s.Image.Pix) / 4
	grey := func(p []float64) float64 { return 0.299*p[0] + 0.587*p[1] + 0.114*p[2] }
	pixels := make([][]float64, n)
	mean := 0.0
	for i := range pixels {
		for _, v := range s.Image.Pix[4*i:][:3] {
			pixels[i] = append(pixels[i], float64(v)*brightness)
		}
		mean += grey(pixels[i]) / float64(n)
	}
	var out []float64
	for _, p := range pixels {
		for c := range p {
			p[c] = mean + contrast*(p[c]-mean)
		}
		own := grey(p)
		for c := range p {
			out = append(out, min(255, max(0, own+saturation*(p[c]-own))))
		}
	}
	return out
}

func TestJitterImage(t *testing.T) {
	for _, factors := range [][3]float64{
		{1, 1, 1}, {1.3, 1, 1}, {0.7, 1, 1}, {1, 1.4, 1}, {1, 0.6, 1}, {1, 1, 1.5}, {1, 1, 0.5},
		{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {2, 2, 2}, {1.2, 0.8, 1.3}, {0.7, 1.3, 0.9},
	} {
		s := testSample(extent{13, 17}, 5)
		want := slowJitter(s, factors[0], factors[1], factors[2])
		jitterImage(s.Image, factors[0], factors[1], factors[2])
		for i := range len(want) / 3 {
			for c := range 3 {
				require.InDelta(t, want[3*i+c], s.Image.Pix[4*i+c], 0.51, "factors %v", factors)
			}
		}
	}
}

func TestColorJitter(t *testing.T) {
	before := testSample(extent{9, 9}, 6)
	after, err := ColorJitter(0)(testRNG(1), before.clone())
	require.NoError(t, err)
	require.Equal(t, before, after, "no jitter, no change")

	after, err = ColorJitter(0.3)(testRNG(1), before.clone())
	require.NoError(t, err)
	require.NotEqual(t, before.Image, after.Image)
	require.Equal(t, before.Label, after.Label)
	other, err := ColorJitter(0.3)(testRNG(2), before.clone())
	require.NoError(t, err)
	require.NotEqual(t, other.Image, after.Image)

	for _, x := range []float64{-0.1, 1.1, math.NaN()} {
		_, err = ColorJitter(x)(testRNG(1), before)
		require.ErrorContains(t, err, "give a share from 0 to 1")
	}
}
