package plot

import (
	"math"
	"strings"

	"charm.land/lipgloss/v2"
)

// Bar is a horizontal bar of exactly width cells, fine to an eighth of a cell; in
// ASCII to a whole one. What is above nothing shows at least an eighth. NaN is
// blank.
func Bar(width int, fraction float64, ascii bool) string {
	width, fraction = max(width, 0), clamp(fraction)
	if ascii {
		full := int(math.Round(fraction * float64(width)))
		return strings.Repeat("#", full) + strings.Repeat(" ", width-full)
	}
	eighths := int(math.Round(fraction * float64(8*width)))
	if fraction > 0 && width > 0 {
		eighths = max(eighths, 1)
	}
	full, rest := eighths/8, eighths%8
	bar := strings.Repeat("█", full)
	if rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
		full++
	}
	return bar + strings.Repeat(" ", width-full)
}

// Progress is a line of exactly width cells, fine to half a cell, of which a
// fraction is done.
func Progress(width int, fraction float64, done, left lipgloss.Style, ascii bool) string {
	width = max(width, 0)
	line, tip, rest := "━", "╸", "─"
	if ascii {
		line, tip, rest = "=", ">", "-"
	}
	halves := int(clamp(fraction) * float64(2*width)) // rounded down: full means done
	first, second := strings.Repeat(line, halves/2), ""
	if halves%2 == 1 {
		first += tip
	}
	if free := width - (halves+1)/2; free > 0 {
		second = left.Inline(true).Render(strings.Repeat(rest, free))
	}
	if first != "" {
		first = done.Inline(true).Render(first)
	}
	return first + second
}

// Part is a part of a [Stack].
type Part struct {
	Fraction float64 // of the whole width
	Style    lipgloss.Style
	Glyph    rune // one cell wide; 0: a full block, in ASCII a sign of the part's own
}

// size is the fraction, as long as it is a number above 0 that can be summed.
func (p Part) size() float64 {
	if math.IsNaN(p.Fraction) {
		return 0
	}
	return min(max(p.Fraction, 0), huge)
}

// Stack is a bar of exactly width cells, cut into parts from the left. Every part
// above nothing has a cell of its own where there are enough. Fractions that sum to
// more than 1 are shares of their sum; the rest is blank.
func Stack(width int, parts []Part, ascii bool) string {
	const asciiParts = "#=+:-%*."
	width = max(width, 0)
	sizes := share(width, parts)
	var b strings.Builder
	for i, size := range sizes {
		glyph := parts[i].Glyph
		switch {
		case ascii && (glyph <= ' ' || glyph > '~'):
			glyph = rune(asciiParts[i%len(asciiParts)])
		case glyph == 0:
			glyph = '█'
		}
		if size > 0 {
			b.WriteString(parts[i].Style.Inline(true).Render(strings.Repeat(string(glyph), size)))
		}
		width -= size
	}
	b.WriteString(strings.Repeat(" ", width))
	return b.String()
}

// share gives each part its cells: from the rounded end of the part before it to
// its own, then one more cell to parts that got none, from the largest.
func share(width int, parts []Part) []int {
	sum := 0.0
	for _, p := range parts {
		sum += p.size()
	}
	sum = max(sum, 1)
	sizes := make([]int, len(parts))
	reached, used := 0.0, 0
	for i, p := range parts {
		reached += p.size() / sum
		end := min(int(math.Round(reached*float64(width))), width)
		sizes[i], used = end-used, end
	}
	for i, p := range parts {
		if sizes[i] > 0 || p.size() == 0 {
			continue
		}
		if used < width {
			sizes[i]++
			used++
			continue
		}
		largest := 0
		for j := range sizes {
			if sizes[j] > sizes[largest] {
				largest = j
			}
		}
		if sizes[largest] > 1 {
			sizes[largest]--
			sizes[i]++
		}
	}
	return sizes
}

// clamp is a fraction between 0 and 1; NaN is 0.
func clamp(fraction float64) float64 {
	if math.IsNaN(fraction) {
		return 0
	}
	return min(max(fraction, 0), 1)
}
