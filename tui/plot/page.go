package plot

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// A page is what a chart is written on: cells of one rune and one style each.
type page struct {
	cols, rows int
	cells      []cell
}

type cell struct {
	rune  rune
	style int
}

func newPage(cols, rows int) *page {
	p := &page{cols: cols, rows: rows, cells: make([]cell, cols*rows)}
	for i := range p.cells {
		p.cells[i].rune = ' '
	}
	return p
}

func (p *page) at(col, row int) *cell { return &p.cells[row*p.cols+col] }

// write puts ASCII text on the page; what would stick out is cut off.
func (p *page) write(col, row int, text string, style int) {
	for i, r := range text {
		if c := col + i; c >= 0 && c < p.cols {
			*p.at(c, row) = cell{r, style}
		}
	}
}

// lines joins the cells, with one escape sequence a stretch of equal style: a chart
// is redrawn ten times a second, and Style.Render costs microseconds a call.
func (p *page) lines(styles []lipgloss.Style) []string {
	before, after := make([]string, len(styles)), make([]string, len(styles))
	for i, s := range styles {
		before[i], after[i], _ = strings.Cut(s.Inline(true).Render("x"), "x")
	}
	lines := make([]string, p.rows)
	var b strings.Builder
	for row := range p.rows {
		b.Reset()
		current := plain
		for _, cell := range p.cells[row*p.cols : (row+1)*p.cols] {
			style := cell.style
			if cell.rune == ' ' && style != cursorStyle {
				style = plain
			}
			if style != current {
				b.WriteString(after[current])
				b.WriteString(before[style])
				current = style
			}
			b.WriteRune(cell.rune)
		}
		b.WriteString(after[current])
		lines[row] = b.String()
	}
	return lines
}
