package plot_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
	"github.com/fcnx/fcnx/tui/history"
	"github.com/fcnx/fcnx/tui/plot"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares what is seen with what was agreed on. A fence at the right shows
// where lines end.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	got := strings.Join(lines, "|\n") + "|\n"
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run with -update, and look at what it writes")
	require.Equal(t, string(want), got)
}

// falling is a loss that falls, noisily, from 1.8 to 0.3.
func falling(width int) plot.Series {
	rng := rand.New(rand.NewPCG(1, 2))
	n := plot.Samples(width)
	s := plot.Series{Name: "train", Band: true, Columns: make([]history.Column, n), Smooth: make([]float64, n),
		Line:  lipgloss.NewStyle().Foreground(lipgloss.Color("#5fafff")),
		Shade: lipgloss.NewStyle().Foreground(lipgloss.Color("#2f4f6f"))}
	for i := range n {
		mean := 0.3 + 1.5*math.Exp(-5*float64(i)/float64(n))
		noise := 0.25 * mean
		s.Columns[i] = history.Column{N: 3, Min: mean - noise*rng.Float64(), Max: mean + noise*rng.Float64(),
			Mean: mean + 0.1*noise*(rng.Float64()-0.5)}
		s.Smooth[i] = mean
	}
	return s
}

// marks are evaluations, rising from 0 to 0.55.
func marks(connect bool) plot.Series {
	s := plot.Series{Name: "mIoU", Connect: connect, Line: lipgloss.NewStyle().Foreground(lipgloss.Color("#87d787"))}
	for i := range 20 {
		x := float64(46 * (i + 1))
		s.Marks = append(s.Marks, plot.Mark{X: x, Y: 0.55 * (1 - math.Exp(-3*x/920))})
	}
	return s
}

func filled(width int, value float64) plot.Series {
	s := plot.Series{Columns: make([]history.Column, plot.Samples(width))}
	for i := range s.Columns {
		s.Columns[i] = history.Column{N: 1, Min: value, Max: value, Mean: value}
	}
	return s
}

func TestChartGolden(t *testing.T) {
	means := falling(64)
	means.Smooth, means.Band = nil, false

	bad := falling(64)
	for i := 38; i < 42; i++ {
		bad.Columns[i] = history.Column{Bad: 2}
	}
	bad.Columns[70].Bad = 1

	negative := falling(64)
	negative.Columns[60].Min, negative.Columns[61].Min = -1, 0
	negative.Columns[80] = history.Column{N: 1, Min: -1, Max: -0.5, Mean: -0.7}
	negative.Smooth = nil

	one := plot.Series{Columns: make([]history.Column, plot.Samples(40)), Band: true}
	one.Columns[20] = history.Column{N: 1, Min: 0.5, Max: 0.5, Mean: 0.5}

	few := plot.Series{Columns: make([]history.Column, plot.Samples(40))}
	for i := 0; i < len(few.Columns); i += 7 {
		few.Columns[i] = history.Column{N: 1, Mean: float64(i % 3)}
	}

	rate := filled(40, 0)
	for i := range rate.Columns {
		rate.Columns[i].Mean = 1.2e-4 * (1 - float64(i)/float64(len(rate.Columns)))
	}

	best := marks(true)
	best.Marks[12].Glyph = '★'
	best.Marks[15].Y = math.NaN()

	for _, test := range []struct {
		name          string
		width, height int
		chart         plot.Chart
	}{
		{"band-64x9", 64, 9, plot.Chart{Series: []plot.Series{falling(64)}}},
		{"band-110x26", 110, 26, plot.Chart{Series: []plot.Series{falling(110), marks(false)}}},
		{"band-20x4", 20, 4, plot.Chart{Series: []plot.Series{falling(20)}}},
		{"no-axes-12x3", 12, 3, plot.Chart{Series: []plot.Series{falling(12)}}},
		{"means-64x9", 64, 9, plot.Chart{Series: []plot.Series{means}}},
		{"log-64x9", 64, 9, plot.Chart{Series: []plot.Series{falling(64)}, Log: true}},
		{"log-decades-64x9", 64, 9, plot.Chart{Series: []plot.Series{falling(64)}, Log: true, Lo: 1e-4, Hi: 20}},
		{"log-negative-64x9", 64, 9, plot.Chart{Series: []plot.Series{negative}, Log: true}},
		{"range-64x9", 64, 9, plot.Chart{Series: []plot.Series{falling(64)}, Lo: 0.5, Hi: 1}},
		{"bad-64x9", 64, 9, plot.Chart{Series: []plot.Series{bad}}},
		{"marks-64x9", 64, 9, plot.Chart{Series: []plot.Series{marks(true)}}},
		{"marks-percent-64x9", 64, 9, plot.Chart{Series: []plot.Series{best}, Percent: true}},
		{"one-40x6", 40, 6, plot.Chart{Series: []plot.Series{one}}},
		{"few-40x6", 40, 6, plot.Chart{Series: []plot.Series{few}}},
		{"constant-40x6", 40, 6, plot.Chart{Series: []plot.Series{filled(40, 0.693147)}}},
		{"zero-40x6", 40, 6, plot.Chart{Series: []plot.Series{filled(40, 0)}}},
		{"rate-40x6", 40, 6, plot.Chart{Series: []plot.Series{rate}}},
		{"empty-40x6", 40, 6, plot.Chart{}},
		{"empty-log-40x6", 40, 6, plot.Chart{Log: true}},
		{"ascii-64x9", 64, 9, plot.Chart{Series: []plot.Series{bad, marks(false)}, ASCII: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := test.chart
			c.From, c.To, c.Cursor = 0, 920, math.NaN()
			lines := c.Render(test.width, test.height)
			for i := range lines {
				lines[i] = ansi.Strip(lines[i])
			}
			golden(t, test.name, lines)
		})
	}
}

func TestChartCursorGolden(t *testing.T) {
	c := plot.Chart{From: 0, To: 1840, Series: []plot.Series{falling(64), marks(false)}}
	for _, step := range []float64{0, 430, 874, 1840} {
		c.Cursor = step
		lines := c.Render(64, 6)
		for i := range lines {
			lines[i] = ansi.Strip(lines[i])
		}
		golden(t, fmt.Sprintf("cursor-%.0f-64x6", step), lines)
	}
}

func TestChartColoursGolden(t *testing.T) {
	c := plot.Chart{From: 0, To: 920, Cursor: 500, Series: []plot.Series{falling(40), marks(true)},
		Axis:        lipgloss.NewStyle().Foreground(lipgloss.Color("8")),
		Alarm:       lipgloss.NewStyle().Foreground(lipgloss.Color("9")).Bold(true),
		CursorStyle: lipgloss.NewStyle().Reverse(true)}
	c.Series[0].Columns[30].Bad = 1
	lines := c.Render(40, 6)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "\x1b", "␛")
	}
	golden(t, "colours-40x6", lines)
}

func TestChartSamples(t *testing.T) {
	require.Equal(t, 0, plot.Samples(-1))
	require.Equal(t, 0, plot.Samples(0))
	require.Equal(t, 2*10, plot.Samples(10), "too narrow for axes")
	require.Equal(t, 2*58, plot.Samples(64))
}

// The gutter does not move when a number gains a digit.
func TestChartGutterIsFixed(t *testing.T) {
	for _, value := range []float64{1e-9, 0.00123, 0.5, 9.99, 10, 1234, 123456, 1e12, -0.25, -1e6} {
		for _, line := range (plot.Chart{Cursor: math.NaN(), Series: []plot.Series{filled(40, value)}}).Render(40, 8) {
			require.Contains(t, "│┤└", string([]rune(line)[5]), "%g: %s", value, line)
		}
	}
}

// One spike among a million steps is seen, also beside a line that does not see it.
func TestChartShowsSpike(t *testing.T) {
	s := filled(60, 0.5)
	s.Band = true
	s.Columns[33].Max = 40
	lines := (plot.Chart{To: 1e6, Cursor: math.NaN(), Series: []plot.Series{s}}).Render(60, 10)
	require.NotEqual(t, strings.Repeat(" ", 54), string([]rune(lines[0])[6:]), "the top row holds the spike")
}

func TestChartSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for width := range 51 {
		for height := range 13 {
			for range 4 {
				checkRender(t, randomChart(rng, width), width, height)
			}
		}
	}
	for _, size := range [][2]int{{-1, 3}, {3, -1}, {-5, -5}} {
		checkRender(t, randomChart(rng, 0), size[0], size[1])
	}
}

func checkRender(t *testing.T, c plot.Chart, width, height int) {
	t.Helper()
	lines := c.Render(width, height)
	require.Len(t, lines, max(height, 0))
	for _, line := range lines {
		require.Equal(t, max(width, 0), ansi.StringWidth(line), "%dx%d %q", width, height, line)
		if c.ASCII {
			for _, b := range []byte(ansi.Strip(line)) {
				require.True(t, b >= ' ' && b <= '~', "%q", line)
			}
		}
	}
}

// randomChart holds numbers of all sizes, and what are none.
func randomChart(rng *rand.Rand, width int) plot.Chart {
	number := func() float64 {
		switch rng.IntN(12) {
		case 0:
			return math.NaN()
		case 1:
			return math.Inf(rng.IntN(2)*2 - 1)
		case 2:
			return 0
		case 3:
			return math.MaxFloat64 * (2*rng.Float64() - 1)
		case 4:
			return math.SmallestNonzeroFloat64
		}
		return rng.NormFloat64() * math.Pow(10, float64(rng.IntN(12)-6))
	}
	flip := func() bool { return rng.IntN(2) == 0 }
	colour := lipgloss.NewStyle().Foreground(lipgloss.Color("5"))
	c := plot.Chart{From: number(), To: number(), Log: flip(), Percent: flip(), ASCII: flip(), Cursor: number(),
		Axis: colour, Alarm: colour, CursorStyle: colour}
	if flip() {
		c.From, c.To, c.Cursor = 0, float64(rng.IntN(5000)), float64(rng.IntN(5000))
	}
	if flip() {
		c.Lo, c.Hi = number(), number()
	}
	for range rng.IntN(4) {
		s := plot.Series{Band: flip(), Connect: flip(), Line: colour, Shade: colour}
		n := plot.Samples(width)
		if rng.IntN(8) == 0 {
			n = rng.IntN(50)
		}
		for range n {
			s.Columns = append(s.Columns, history.Column{N: rng.IntN(3), Bad: rng.IntN(10) / 9,
				Min: number(), Max: number(), Mean: number()})
		}
		if flip() {
			for range max(n-rng.IntN(2), 0) {
				s.Smooth = append(s.Smooth, number())
			}
		}
		for range rng.IntN(10) {
			s.Marks = append(s.Marks, plot.Mark{X: number(), Y: number()})
		}
		c.Series = append(c.Series, s)
	}
	return c
}

func FuzzRender(f *testing.F) {
	memtest.Cap(f)
	f.Add(uint64(1), 40, 8, 0.0, 1.0, 0.5, 1.5)
	f.Add(uint64(2), 17, 3, 1e308, -1e308, 5e-324, math.Inf(1))
	f.Fuzz(func(t *testing.T, seed uint64, width, height int, lo, hi, from, to float64) {
		width, height = width%200, height%60
		c := randomChart(rand.New(rand.NewPCG(seed, 0)), width)
		c.Lo, c.Hi, c.From, c.To = lo, hi, from, to
		checkRender(t, c, width, height)
	})
}

func BenchmarkChart(b *testing.B) {
	c := plot.Chart{To: 920, Cursor: math.NaN(), Series: []plot.Series{falling(120), falling(120)}}
	for b.Loop() {
		c.Render(120, 30)
	}
}
