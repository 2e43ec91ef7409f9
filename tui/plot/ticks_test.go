package plot

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// read is what a person reads in a label.
func read(t *testing.T, label string) float64 {
	t.Helper()
	times := 1.0
	if text, ok := strings.CutSuffix(label, "%"); ok {
		label, times = text, 0.01
	}
	for unit, size := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} {
		if text, ok := strings.CutSuffix(label, unit); ok {
			label, times = text, times*size
		}
	}
	v, err := strconv.ParseFloat(label, 64)
	require.NoError(t, err, label)
	return v * times
}

// Whatever the range: every label can be read, is true, fits, and stands alone.
func TestTicksAreTrue(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	few := 0
	const tries = 3000
	for range tries {
		lo := rng.NormFloat64() * math.Pow(10, float64(rng.IntN(16)-8))
		hi := lo + math.Abs(lo)*math.Pow(10, float64(rng.IntN(6)-2))*rng.Float64()
		c := Chart{Log: rng.IntN(2) == 0, Percent: rng.IntN(4) == 0}
		if c.Log {
			lo, hi = math.Abs(lo), math.Abs(lo)+math.Abs(hi)
		}
		lo, hi = widen(lo, hi, c.Log)
		rows := 3 + rng.IntN(30)
		s := scale{lo: lo, hi: hi, log: c.Log, height: 4 * rows}
		ticks := c.yTicks(s, 2)
		if len(ticks) < 2 {
			few++
		}
		last := math.MaxInt
		for _, tick := range ticks {
			slack := (hi - lo) * 1e-5
			require.GreaterOrEqual(t, tick.value, lo-slack)
			require.LessOrEqual(t, tick.value, hi+slack)
			y, _ := s.dot(tick.value)
			row := int(math.Round(y)) / 4
			require.LessOrEqual(t, row, last-1, "%v", ticks)
			last = row
			if tick.label == "" {
				continue
			}
			require.LessOrEqual(t, len(tick.label), labelWidth)
			require.InDelta(t, tick.value, read(t, tick.label), math.Abs(tick.value)*1e-6+(hi-lo)*1e-6, tick.label)
		}
	}
	require.Less(t, few, tries/8, "nearly every axis has two numbers")
}

func TestTickLabels(t *testing.T) {
	for _, test := range []struct {
		lo, hi       float64
		log, percent bool
		want         string // from below
	}{
		{0, 1.9, false, false, "0.0 0.5 1.0 1.5"},
		{0, 0.55, false, false, "0.0 0.2 0.4"},
		{0, 0.55, false, true, "0% 20% 40%"},
		{-0.3, 0.3, false, false, "-0.2 0.0 0.2"},
		{0.512, 0.517, false, false, "0.512 0.514 0.516"},
		{0.0121, 0.0129, false, false, ".0122 .0124 .0126 .0128"},
		{0, 1.2e-4, false, false, "0 5e-5 10e-5"},
		{0, 2500, false, false, "0 1000 2000"},
		{0, 25000, false, false, "0 10k 20k"},
		{1.21e6, 1.29e6, false, false, "1.22M 1.24M 1.26M 1.28M"},
		{0.2, 2.5, true, false, "0.2 0.5 1 2"},
		{0.001, 10, true, false, "0.001 0.01 0.1 1 10"},
		{1e-6, 1e6, true, false, "1e-6 0.001 1 1k 1M"},
		{0.51, 0.59, true, false, "0.52 0.54 0.56 0.58"},
	} {
		c := Chart{Log: test.log, Percent: test.percent}
		var labels []string
		for _, tick := range c.yTicks(scale{lo: test.lo, hi: test.hi, log: test.log, height: 4 * 10}, 2) {
			labels = append(labels, tick.label)
		}
		require.Equal(t, test.want, strings.Join(labels, " "), "%g to %g", test.lo, test.hi)
	}
}

// Values that wander a little do not move the axis each time.
func TestWiden(t *testing.T) {
	for _, test := range []struct {
		lo, hi       float64
		log          bool
		wantLo, want float64
	}{
		{math.NaN(), math.NaN(), false, 0, 1},
		{math.NaN(), math.NaN(), true, 0.1, 1},
		{0.31, 1.83, false, 0, 1.9},
		{0.31, 1.87, false, 0, 1.9},
		{0.612, 0.683, false, 0.61, 0.685},
		{0, 0, false, 0, 1},
		{0.27, 2.2, true, 0.25, 2.5},
	} {
		lo, hi := widen(test.lo, test.hi, test.log)
		require.InDelta(t, test.wantLo, lo, 1e-9, "%+v", test)
		require.InDelta(t, test.want, hi, 1e-9, "%+v", test)
	}
}
