// Package plot draws curves and bars in the cells of a terminal.
//
// A cell holds 2 x 4 braille dots. A drawing has exactly the size that was asked
// for, whatever is in the data, and nothing here reads a clock, a file or the
// terminal.
package plot

import (
	"math"

	"charm.land/lipgloss/v2"

	"github.com/fcnx/fcnx/tui/history"
)

const (
	labelWidth  = 5              // cells of a y label, whether it needs them or not
	gutterWidth = labelWidth + 1 // and the axis
	fullWidth   = gutterWidth + 10
	fullHeight  = 3
)

// Series is one curve of a [Chart].
type Series struct {
	Name string
	// Columns are [Samples] stretches of equal length from the chart's From to its
	// To. A column without values is no gap: a run that is younger than the chart is
	// wide has many. One with nothing but bad values is.
	Columns []history.Column
	Smooth  []float64 // drawn instead of the means, as long as Columns; nil: the means
	Band    bool      // the smallest to the largest value of each column, in Shade
	Marks   []Mark    // in order of X
	Connect bool      // a line through the marks
	// Line and Shade are colours and weights, no borders or widths.
	Line, Shade lipgloss.Style
}

// Mark is a point that is seen by itself, such as an evaluation.
type Mark struct {
	X, Y  float64
	Glyph rune // one cell wide; 0: a circle
}

// Chart is a rectangle with two axes. Later series lie on top of earlier ones.
type Chart struct {
	From, To float64 // steps, at the left and right edge
	Series   []Series
	Lo, Hi   float64 // of the y axis; 0, 0: from the data
	Log      bool    // values <= 0 are left out
	Percent  bool    // 0.25 on the y axis is written 25%
	Cursor   float64 // a vertical line at this x; NaN: none
	ASCII    bool    // no byte above '~'

	Axis, Alarm, CursorStyle lipgloss.Style
}

// Samples is how many columns of data a chart of that width takes: two a cell of
// the area between the axes.
func Samples(width int) int { return 2 * plotWidth(width) }

// plotWidth is the cells of a line that are not the y axis. A chart too narrow for
// one is all curve.
func plotWidth(width int) int {
	if width >= fullWidth {
		return width - gutterWidth
	}
	return max(width, 0)
}

// window is From and To, made a stretch that can be divided by.
func (c Chart) window() (from, to float64) {
	from, to = c.From, c.To
	if !finite(from) {
		from = 0
	}
	if !finite(to) || to <= from || math.IsInf(to-from, 0) {
		to = from + max(1, math.Abs(from)/1e6)
	}
	return from, to
}

// Render draws the chart: height strings of width cells each. Where there is no
// room for axes the curves have it all.
func (c Chart) Render(width, height int) []string {
	width, height = max(width, 0), max(height, 0)
	if width == 0 || height == 0 {
		return make([]string, height)
	}
	axes := width >= fullWidth
	rows := height
	if axes && height >= fullHeight {
		rows--
	}
	from, to := c.window()
	area := newRaster(plotWidth(width), rows)
	y := c.scale(4 * rows)
	c.draw(area, from, to, y)

	page := newPage(width, height)
	left := width - area.cols
	c.paint(page, area, left)
	if axes {
		c.drawYAxis(page, rows, y)
	}
	if rows < height {
		c.drawXAxis(page, left, from, to)
	}
	c.drawCursor(page, area, left, from, to)
	return page.lines(c.styles())
}

// The styles of a page: these, then line and shade of each series.
const (
	plain = iota
	axisStyle
	alarmStyle
	cursorStyle
	seriesStyles
)

func lineStyle(series int) int  { return seriesStyles + 2*series }
func shadeStyle(series int) int { return seriesStyles + 2*series + 1 }

func (c Chart) styles() []lipgloss.Style {
	styles := []lipgloss.Style{{}, c.Axis, c.Alarm, c.CursorStyle}
	for _, s := range c.Series {
		styles = append(styles, s.Line, s.Shade)
	}
	return styles
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
