package train

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBalancedWeights(t *testing.T) {
	tests := map[string]struct {
		kind                string
		pixels, imagePixels []int64
		want                []float64
	}{
		// Frequencies 0.8, 0.1 and 0.4: the median is 0.4.
		"median": {"median", []int64{800, 50, 200}, []int64{1000, 500, 500}, []float64{0.5, 4, 1}},
		// 0.8, 0.1, 0.4 and 0.2: it is 0.3, between the two in the middle.
		"median of an even number": {"median", []int64{800, 50, 200, 200}, []int64{1000, 500, 500, 1000}, []float64{0.375, 3, 0.75, 1.5}},
		"a class that is nowhere":  {"median", []int64{800, 0, 200}, []int64{1000, 0, 1000}, []float64{0.625, 1, 2.5}},
		"median of one":            {"median", []int64{0, 7}, []int64{0, 10}, []float64{1, 1}},
		"inverse":                  {"inverse", []int64{600, 300, 100}, []int64{1000, 1000, 1000}, []float64{1000. / 1800, 1000. / 900, 1000. / 300}},
		"inverse without a class":  {"inverse", []int64{600, 0, 400}, []int64{1000, 0, 1000}, []float64{1000. / 1200, 1, 1000. / 800}},
		"no labels at all":         {"inverse", []int64{0, 0}, []int64{0, 0}, []float64{1, 1}},
		"and the median of none":   {"median", []int64{0, 0}, []int64{0, 0}, []float64{1, 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.InDeltaSlice(t, test.want, BalancedWeights(test.kind, test.pixels, test.imagePixels), 1e-12)
		})
	}
}

// Weighed by inverse frequency, each class has the same share of all weight, and
// the weight of all pixels is their number.
func TestInverseWeightsAreFair(t *testing.T) {
	pixels := []int64{123456, 0, 17, 9001, 400000}
	weights := BalancedWeights("inverse", pixels, pixels)
	var total float64
	for c, n := range pixels {
		total += weights[c] * float64(n)
		if n > 0 {
			require.InEpsilon(t, float64(123456+17+9001+400000)/4, weights[c]*float64(n), 1e-12)
		}
	}
	require.InEpsilon(t, 123456+17+9001+400000, total, 1e-12)
}
