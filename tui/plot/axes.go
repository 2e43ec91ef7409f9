package plot

import (
	"math"
	"strconv"
)

func (c Chart) axisRunes() (line, tick, corner, floor rune) {
	if c.ASCII {
		return '|', '+', '+', '-'
	}
	return '│', '┤', '└', '─'
}

func (c Chart) drawYAxis(p *page, rows int, y scale) {
	line, mark, _, _ := c.axisRunes()
	for row := range rows {
		*p.at(labelWidth, row) = cell{line, axisStyle}
	}
	gap := 2
	if rows > 12 {
		gap = 3
	}
	for _, t := range c.yTicks(y, gap) {
		dot, _ := y.dot(t.value)
		row := min(max(int(math.Round(dot))/4, 0), rows-1)
		p.write(labelWidth-len(t.label), row, t.label, axisStyle)
		*p.at(labelWidth, row) = cell{mark, axisStyle}
	}
}

// drawXAxis writes whole steps into the line under the plot.
func (c Chart) drawXAxis(p *page, left int, from, to float64) {
	_, _, corner, floor := c.axisRunes()
	row := p.rows - 1
	*p.at(left-1, row) = cell{corner, axisStyle}
	for col := left; col < p.cols; col++ {
		*p.at(col, row) = cell{floor, axisStyle}
	}
	cols := p.cols - left
	longest := max(len(thousand(from)), len(thousand(to)))
	step := max(1, niceStep((to-from)*float64(max(longest+5, 10))/float64(cols)))
	end := 0 // the first cell that is free, with a cell of line after each label
	for _, v := range multiples(step, from, to) {
		label := thousand(v)
		col := labelStart(dotAt(v, from, to, cols), len(label), cols)
		if col >= end && len(label) <= cols {
			p.write(left+col, row, label, axisStyle)
			end = col + len(label) + 1
		}
	}
}

// labelStart centres a label on a cell as far as the axis reaches.
func labelStart(cell, length, cols int) int {
	return max(0, min(cell-length/2, cols-length))
}

// drawCursor draws a line behind curves and marks, and its step on the x axis.
func (c Chart) drawCursor(p *page, area *raster, left int, from, to float64) {
	if !finite(c.Cursor) || c.Cursor < from || c.Cursor > to {
		return
	}
	line, _, _, floor := c.axisRunes()
	col := dotAt(c.Cursor, from, to, area.cols)
	for row := range area.rows {
		target := p.at(left+col, row)
		if d := area.cells[row*area.cols+col]; d.glyph == 0 && d.line == 0 {
			target.rune = line
		}
		target.style = cursorStyle
	}
	if area.rows == p.rows {
		return
	}
	label := strconv.FormatFloat(math.Round(c.Cursor), 'f', -1, 64)
	start := left + labelStart(col, len(label), area.cols)
	row := p.rows - 1
	// What the label cuts in two would be read as another number.
	for i := start - 1; i >= left && p.at(i, row).rune != floor; i-- {
		p.at(i, row).rune = floor
	}
	for i := start + len(label); i < p.cols && p.at(i, row).rune != floor; i++ {
		p.at(i, row).rune = floor
	}
	p.write(start, row, label, cursorStyle)
}
