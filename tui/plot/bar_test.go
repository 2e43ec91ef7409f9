package plot_test

import (
	"image/color"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/tui/plot"
)

func TestBar(t *testing.T) {
	for _, test := range []struct {
		fraction    float64
		want, ascii string
	}{
		{0, "    ", "    "},
		{math.NaN(), "    ", "    "},
		{-1, "    ", "    "},
		{1e-9, "▏   ", "    "},
		{0.25, "█   ", "#   "},
		{0.5 + 3.0/32, "██▍ ", "##  "},
		{0.99, "████", "####"},
		{1, "████", "####"},
		{math.Inf(1), "████", "####"},
	} {
		require.Equal(t, test.want, plot.Bar(4, test.fraction, false), "%g", test.fraction)
		require.Equal(t, test.ascii, plot.Bar(4, test.fraction, true), "%g", test.fraction)
	}
}

func TestProgress(t *testing.T) {
	var none lipgloss.Style
	for fraction, want := range map[float64]string{0: "────", 0.13: "╸───", 0.5: "━━──", 0.999: "━━━╸", 1: "━━━━"} {
		require.Equal(t, want, plot.Progress(4, fraction, none, none, false), "%g", fraction)
	}
	require.Equal(t, "==>-", plot.Progress(4, 0.7, none, none, true))
	red := lipgloss.NewStyle().Foreground(lipgloss.Red)
	require.Equal(t, red.Render("━━")+"──", plot.Progress(4, 0.5, red, none, false))
}

func TestStack(t *testing.T) {
	stack := func(width int, fractions ...float64) string {
		var parts []plot.Part
		for _, f := range fractions {
			parts = append(parts, plot.Part{Fraction: f})
		}
		return plot.Stack(width, parts, true)
	}
	require.Equal(t, "##====    ", stack(10, 0.2, 0.4))
	require.Equal(t, "#=======+:", stack(10, 0.01, 0.95, 0.02, 0.002), "what is there is seen")
	require.Equal(t, "#====+++++", stack(10, 1, 4, 5), "shares of a whole")
	require.Equal(t, "##+++     ", stack(10, 0.2, 0, 0.3), "nothing has no cell")
	require.Equal(t, "=", stack(1, 0.01, 0.9, 0.02), "the largest, where there is no room")
	require.Equal(t, "          ", stack(10))
	require.Equal(t, "          ", stack(10, math.NaN(), -1))
	require.Equal(t, "██d ", plot.Stack(4, []plot.Part{{Fraction: 0.5}, {Fraction: 0.25, Glyph: 'd'}}, false))
}

func TestRowsAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	style := lipgloss.NewStyle().Foreground(lipgloss.Blue)
	number := func() float64 {
		return []float64{math.NaN(), math.Inf(1), -1, 0, 1, 1e-9, 2, rng.Float64(), rng.Float64(), math.MaxFloat64}[rng.IntN(10)]
	}
	for width := -1; width < 60; width++ {
		for range 20 {
			ascii := rng.IntN(2) == 0
			var parts []plot.Part
			for range rng.IntN(10) {
				parts = append(parts, plot.Part{Fraction: number(), Style: style})
			}
			for name, row := range map[string]string{
				"bar":      plot.Bar(width, number(), ascii),
				"progress": plot.Progress(width, number(), style, style, ascii),
				"stack":    plot.Stack(width, parts, ascii),
			} {
				require.Equal(t, max(width, 0), ansi.StringWidth(row), "%s %q", name, row)
				if ascii {
					require.False(t, strings.ContainsFunc(row, func(r rune) bool { return r > '~' }), "%s %q", name, row)
				}
			}
		}
	}
}

func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	linear := func(v uint32) float64 { return math.Pow(float64(v)/0xffff, 2.2) }
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

// Without colour vision the scale still rises: each step is brighter on a dark
// terminal, darker on a light one; and what is written on it can be read.
func TestHeat(t *testing.T) {
	for i := range 100 {
		low, high := float64(i)/100, float64(i+1)/100
		require.Less(t, luminance(plot.Heat(low, true)), luminance(plot.Heat(high, true)), "%g", low)
		require.Greater(t, luminance(plot.Heat(low, false)), luminance(plot.Heat(high, false)), "%g", low)
		require.LessOrEqual(t, plot.HeatGlyph(low), byte('~'))
		for _, dark := range []bool{true, false} {
			a, b := luminance(plot.Heat(low, dark)), luminance(plot.OnHeat(low, dark))
			require.Greater(t, (max(a, b)+0.05)/(min(a, b)+0.05), 4.5, "%g", low)
		}
	}
	require.Equal(t, plot.Heat(0, true), plot.Heat(-3, true))
	require.Equal(t, plot.Heat(1, true), plot.Heat(7, true))
	require.Equal(t, color.RGBA{0x80, 0x80, 0x80, 0xff}, plot.Heat(math.NaN(), true))
	require.Equal(t, ". @", string([]byte{plot.HeatGlyph(0), plot.HeatGlyph(math.NaN()), plot.HeatGlyph(1)}))
}
