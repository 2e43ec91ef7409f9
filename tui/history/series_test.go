package history_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/tui/history"
)

type point struct {
	step  int64
	value float64
}

// slow is all that a series was told, and columns as one would define them: a
// column's steps are those after from+i*length/n up to from+(i+1)*length/n, rounded
// down, and at least one.
type slow []point

func (s slow) columns(from, to int64, n int) []history.Column {
	columns := make([]history.Column, n)
	for i := range columns {
		first := from + 1 + int64(i)*(to-from)/int64(n)
		last := max(first, from+int64(i+1)*(to-from)/int64(n))
		columns[i] = s.column(first, last)
	}
	return columns
}

func (s slow) column(first, last int64) (c history.Column) {
	sum := 0.0
	for _, p := range s {
		switch {
		case p.step < first || p.step > last:
		case math.IsNaN(p.value) || math.IsInf(p.value, 0):
			c.Bad++
		default:
			if c.N == 0 {
				c.Min, c.Max = p.value, p.value
			}
			c.N++
			c.Min, c.Max = min(c.Min, p.value), max(c.Max, p.value)
			sum += p.value
		}
	}
	if c.N > 0 {
		c.Mean = sum / float64(c.N)
	}
	return c
}

func (s slow) truncate(after int64) slow {
	for len(s) > 0 && s[len(s)-1].step > after {
		s = s[:len(s)-1]
	}
	return s
}

// randomValue is a noisy descent with spikes and numbers that are none.
func randomValue(rng *rand.Rand, i int) float64 {
	switch rng.IntN(400) {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1)
	case 2:
		return 100 * rng.Float64()
	}
	return 2/(1+float64(i)/1000) + 0.1*rng.NormFloat64()
}

// requireSame compares columns of which the sums may be added in another order.
func requireSame(t *testing.T, want, got history.Column) {
	t.Helper()
	require.InDelta(t, want.Mean, got.Mean, 1e-9)
	want.Mean, got.Mean = 0, 0
	require.Equal(t, want, got)
}

// requireHolds checks that a column of buckets shows all there is.
func requireHolds(t *testing.T, want, got history.Column) {
	t.Helper()
	require.GreaterOrEqual(t, got.N, want.N)
	require.GreaterOrEqual(t, got.Bad, want.Bad)
	if want.N > 0 {
		require.LessOrEqual(t, got.Min, want.Min)
		require.GreaterOrEqual(t, got.Max, want.Max)
		require.True(t, got.Min <= got.Mean && got.Mean <= got.Max)
	}
}

func TestColumnsAgainstTheirSlowTwin(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var all slow
		var s history.Series
		step, stride := int64(rng.IntN(3)), []int{1, 1, 3, 50}[rng.IntN(4)]
		length := []int{1, 700, 4096, 4097, 9000, 40_000}[seed]
		for i := range length {
			step += int64(1 + rng.IntN(stride))
			p := point{step, randomValue(rng, i)}
			all = append(all, p)
			s.Add(p.step, p.value)
		}
		first, last, ok := s.Bounds()
		require.True(t, ok)
		require.Equal(t, []int64{all[0].step, step}, []int64{first, last})

		newest := all[max(0, len(all)-4096)].step
		for range 40 {
			from := rng.Int64N(last+10) - 5
			to := from + 1 + rng.Int64N(last-min(from, last-1)+5)
			if rng.IntN(2) == 0 {
				from = max(from, newest-1)
				to = max(to, from+1+rng.Int64N(500))
			}
			n := 1 + rng.IntN(300)
			got := s.Columns(from, to, n)
			want := all.columns(from, to, n)
			for i := range want {
				if from+1+int64(i)*(to-from)/int64(n) >= newest {
					requireSame(t, want[i], got[i])
				} else {
					requireHolds(t, want[i], got[i])
				}
			}
		}
		// Of the whole nothing is missing and, in one column, nothing is counted twice.
		requireSame(t, all.column(first, last), s.Columns(first-1, last, 1)[0])
	}
}

// A line that is zoomed into has no holes, neither among the newest points nor
// where there are only buckets.
func TestColumnsHaveNoHoles(t *testing.T) {
	var s history.Series
	for step := range int64(100_000) {
		s.Add(step+1, float64(step+1))
	}
	for _, from := range []int64{0, 1000, 51_234, 95_900, 99_990} {
		for _, length := range []int64{1, 3, 10, 399, 400, 401, 5000} {
			to := min(from+length, 100_000)
			for i, c := range s.Columns(from, to, 400) {
				require.Positive(t, c.N, "column %d of (%d, %d]", i, from, to)
			}
		}
	}
	three := s.Columns(99_997, 100_000, 6)
	require.Equal(t, []float64{99_998, 99_998, 99_999, 99_999, 100_000, 100_000},
		[]float64{three[0].Mean, three[1].Mean, three[2].Mean, three[3].Mean, three[4].Mean, three[5].Mean})
}

func TestSpikeAndNaNNeverVanish(t *testing.T) {
	var s history.Series
	for step := int64(1); step <= 500_000; step++ {
		switch step {
		case 777:
			s.Add(step, 1e6)
		case 12_345:
			s.Add(step, math.NaN())
		default:
			s.Add(step, 1)
		}
	}
	spikes, bad := 0, 0
	for _, c := range s.Columns(0, 500_000, 80) {
		if c.Max == 1e6 {
			spikes++
		}
		bad += c.Bad
	}
	require.Equal(t, 1, spikes)
	require.Equal(t, 1, bad)
}

func TestTruncate(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var all slow
		var s history.Series
		step, oldest, exact := int64(0), int64(1), true // oldest: of the points that are kept as they are
		for range 1 + rng.IntN(5) {
			for range rng.IntN(6000) {
				step++
				p := point{step, randomValue(rng, int(step))}
				all = append(all, p)
				s.Add(p.step, p.value)
			}
			// As far back as the newest points go, a cut leaves no trace.
			oldest = max(oldest, step-4095)
			step = max(0, step-rng.Int64N(4000))
			exact = exact && (step >= oldest || step == 0)
			s.Truncate(step)
			all = all.truncate(step)
			if step == 0 {
				oldest, exact = 1, true
			}
		}
		_, last, ok := s.Bounds()
		require.Equal(t, len(all) > 0, ok)
		if !ok {
			continue
		}
		require.Equal(t, step, last)
		want, got := all.column(1, step), s.Columns(0, step, 1)[0]
		if exact {
			requireSame(t, want, got)
		}
		require.LessOrEqual(t, got.Min, want.Min)
		require.GreaterOrEqual(t, got.Max, want.Max)
	}
}

// A cut far back keeps what its bucket says, because nobody knows better; what came
// later is gone.
func TestTruncateFarBack(t *testing.T) {
	var s history.Series
	for step := int64(1); step <= 100_000; step++ {
		s.Add(step, float64(step))
	}
	s.Add(100_001, math.NaN())
	s.Truncate(50_001)
	first, last, ok := s.Bounds()
	require.True(t, ok)
	require.Equal(t, []int64{1, 50_001}, []int64{first, last})
	require.True(t, math.IsNaN(s.Last()))
	c := s.Columns(0, 50_001, 1)[0]
	require.InDelta(t, 50_001, c.Max, 32) // a bucket is 32 wide
	require.Zero(t, c.Bad)
	require.InDelta(t, 50_001, c.N, 32)
	require.Equal(t, history.Column{}, s.Columns(50_001, 60_000, 1)[0])

	s.Add(50_002, 7)
	require.Equal(t, 7.0, s.Last())
	require.Equal(t, history.Column{N: 1, Min: 7, Max: 7, Mean: 7}, s.Columns(50_001, 60_000, 1)[0])
}

func TestAStepThatComesAgainCounts(t *testing.T) {
	var s history.Series
	for step := range int64(10) {
		s.Add(step, 1)
	}
	s.Add(5, 2)
	_, last, _ := s.Bounds()
	require.Equal(t, int64(5), last)
	require.Equal(t, history.Column{N: 6, Min: 1, Max: 2, Mean: 7.0 / 6}, s.Columns(-1, 9, 1)[0])
}

func TestSeriesAtTheEndsOfInt64(t *testing.T) {
	var s history.Series
	steps := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
	for _, step := range steps {
		s.Add(step, 1)
	}
	for step := int64(1); step < math.MaxInt64/2; step *= 2 { // steps far apart
		s.Add(step, 1)
	}
	for range 3 {
		for _, step := range steps {
			s.Add(step, math.MaxFloat64)
		}
	}
	require.Len(t, s.Columns(math.MinInt64, math.MaxInt64, 1000), 1000)
	require.Equal(t, 6, s.Columns(math.MinInt64, math.MaxInt64, 1)[0].N) // all but the first
	require.Equal(t, math.MaxFloat64, s.Columns(math.MinInt64, math.MaxInt64, 1)[0].Mean)
	require.Empty(t, s.Columns(0, 10, 0))
	require.Empty(t, s.Columns(0, 10, -1))
	require.Equal(t, make([]history.Column, 2), s.Columns(10, 0, 2))
	s.Truncate(math.MinInt64)
	require.Equal(t, int64(math.MinInt64), second(s.Bounds()))
}

func second(_, last int64, _ bool) int64 { return last }

// TestSmooth compares with TensorBoard's formula, written down once more.
func TestSmooth(t *testing.T) {
	var s history.Series
	values := []float64{4, 2, math.NaN(), 8, 1, 1, 0.5}
	for i, v := range values {
		s.Add(int64(i+1), v)
	}
	last, count := 0.0, 0.0
	const weight = 0.6
	got := s.Smooth(0, 7, 7, weight)
	for i, v := range values {
		if math.IsNaN(v) {
			require.True(t, math.IsNaN(got[i]))
			continue
		}
		last = last*weight + (1-weight)*v
		count++
		require.InDelta(t, last/(1-math.Pow(weight, count)), got[i], 1e-12)
	}
	require.Equal(t, 4.0, got[0])
	// Without weight it is the means themselves.
	require.Equal(t, []float64{4, 2}, s.Smooth(0, 2, 2, 0))
	// In columns narrower than a step it is the same line.
	wide := s.Smooth(0, 7, 21, weight)
	for i := range got {
		if !math.IsNaN(got[i]) {
			require.Equal(t, []float64{got[i], got[i], got[i]}, wide[3*i:3*i+3])
		}
	}
	for _, odd := range []float64{math.NaN(), -1, 1, 2, math.Inf(1)} {
		for _, v := range s.Smooth(0, 2, 2, odd) {
			require.True(t, 2 <= v && v <= 4, "weight %v", odd)
		}
	}
}

func TestSmoothLeavesAConstant(t *testing.T) {
	var s history.Series
	for step := range int64(1000) {
		s.Add(step+1, 0.1)
	}
	for _, v := range s.Smooth(0, 1000, 333, 0.97) {
		require.Equal(t, 0.1, v)
	}
	var none history.Series
	for _, v := range none.Smooth(0, 10, 5, 0.5) {
		require.True(t, math.IsNaN(v))
	}
	require.True(t, math.IsNaN(none.Last()))
}

func BenchmarkColumns(b *testing.B) {
	var s history.Series
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 1_000_000 {
		s.Add(int64(i+1), randomValue(rng, i))
	}
	for name, from := range map[string]int64{"all": 0, "middle": 500_000, "newest": 997_000} {
		to := int64(1_000_000)
		if name == "middle" {
			to = 510_000
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Columns(from, to, 400)
			}
		})
	}
}

func BenchmarkSeriesAdd(b *testing.B) {
	var s history.Series
	step := int64(0)
	for b.Loop() {
		step++
		s.Add(step, float64(step&1023))
	}
}
