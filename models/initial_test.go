package models

import (
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func initial(v Variable, seed uint64) []float32 {
	values := make([]float32, v.Size())
	for i := range values {
		values[i] = float32(math.NaN()) // what was there before must not matter
	}
	v.Initial(seed, values)
	return values
}

func smallNet(arch string) Config {
	return Config{Arch: arch, Encoder: "vgg16_bn", Classes: 3, Width: 4, Head: 16, Upsample: Learned, Geometry: Same}
}

// fc6 is drawn as several streams, of which no number of workers may change a bit.
func TestInitialIsAFunctionOfSeedAndVariable(t *testing.T) {
	fc6 := Variable{"fc6", "weight", []int{7, 7, 64, 700}, ConvWeight, PartHead}
	require.Greater(t, fc6.Size(), 2*chunk)
	many := initial(fc6, 1)
	before := runtime.GOMAXPROCS(1)
	one := initial(fc6, 1)
	runtime.GOMAXPROCS(before)
	require.Equal(t, many, one)
	require.NotEqual(t, many, initial(fc6, 2), "another seed")

	other := fc6
	other.Layer = "fc7"
	require.NotEqual(t, many, initial(other, 1), "another layer")
	require.NotEqual(t, many[:chunk], many[chunk:2*chunk], "another stream")
}

func TestInitialOfConvolutions(t *testing.T) {
	for _, shape := range [][]int{{3, 3, 64, 128}, {7, 7, 32, 64}, {1, 1, 512, 512}} {
		v := Variable{"conv2_1", "weight", shape, ConvWeight, PartEncoder}
		values := initial(v, 3)
		mean, square := 0.0, 0.0
		for _, x := range values {
			mean += float64(x)
			square += float64(x) * float64(x)
		}
		n := float64(len(values))
		mean, square = mean/n, square/n
		variance := 2 / float64(shape[0]*shape[1]*shape[2])
		// Five standard deviations of the two estimates.
		require.InDelta(t, 0, mean, 5*math.Sqrt(variance/n), "mean of %v", shape)
		require.InDelta(t, variance, square, 5*variance*math.Sqrt(2/n), "variance of %v", shape)
	}
}

func TestInitialByRole(t *testing.T) {
	for _, v := range smallNet("fcn8s").Variables() {
		values := initial(v, 1)
		constant := func(want float32) {
			for _, x := range values {
				require.Equal(t, want, x, v.Path())
			}
		}
		switch {
		case v.Role == Bias, v.Role == NormMean, v.Part == PartScore:
			constant(0)
		case v.Role == NormWeight, v.Role == NormVariance:
			constant(1)
		case v.Role == ConvWeight:
			for _, x := range values {
				require.NotZero(t, x, v.Path())
			}
		}
	}
}

// A seed means the same encoder whichever network is built on it.
func TestInitialIsSharedBetweenNets(t *testing.T) {
	coarse := map[string][]float32{}
	for _, v := range smallNet("fcn32s").Variables() {
		coarse[v.Path()] = initial(v, 11)
	}
	shared := 0
	for _, v := range smallNet("fcn8s").Variables() {
		if want, ok := coarse[v.Path()]; ok {
			require.Equal(t, want, initial(v, 11), v.Path())
			shared++
		}
	}
	require.Equal(t, 13*6+3*2, shared, "13 convolutions with their norms, fc6, fc7 and score_fr")
}

// Upsampling starts as the bilinear kernel where a class meets itself, in both
// layouts.
func TestInitialOfUpsampling(t *testing.T) {
	for _, kind := range []string{Learned, Depthwise} {
		c := smallNet("fcn8s")
		c.Upsample = kind
		seen := 0
		for _, v := range c.Variables() {
			if v.Part != PartUpsample {
				continue
			}
			seen++
			k, classes, values := v.Shape[0], v.Shape[2], initial(v, 1)
			kernel := bilinearKernel(k)
			for i, x := range values {
				at := position(i, v.Shape)
				want := kernel[at[0]][at[1]]
				if kind == Learned && at[2] != at[3] {
					want = 0
				}
				require.Equal(t, want, x, "%s of %d classes at %v", v.Path(), classes, at)
			}
		}
		require.Equal(t, 3, seen)
	}
}
