package plot

import "math"

// draw puts the series on the raster: all bands, then all lines, then the marks,
// then the alarms, which nothing may hide.
func (c Chart) draw(area *raster, from, to float64, y scale) {
	for i := range c.Series {
		s := &c.Series[i]
		if s.Band {
			s.drawBand(area, i, y)
		}
	}
	for i := range c.Series {
		s := &c.Series[i]
		s.drawLine(area, i, y, c.point())
		if s.Connect {
			s.drawConnection(area, i, from, to, y)
		}
	}
	for i := range c.Series {
		s := &c.Series[i]
		s.drawMarks(area, i, from, to, y, c.ASCII)
	}
	alarm := '×'
	if c.ASCII {
		alarm = 'x'
	}
	for i := range c.Series {
		s := &c.Series[i]
		for x := range area.width() {
			if column, ok := s.column(x, area.width()); ok && s.Columns[column].Bad > 0 {
				area.put(x, 0, alarm, alarmStyle)
			}
		}
		for _, m := range s.Marks {
			if !finite(m.Y) {
				area.put(dotAt(m.X, from, to, area.width()), 0, alarm, alarmStyle)
			}
		}
	}
}

// column is the index of the data of a column of dots.
func (s *Series) column(x, width int) (int, bool) {
	return x * len(s.Columns) / width, len(s.Columns) > 0
}

// value is what the line shows at a column; ok is false where there is nothing.
func (s *Series) value(column int) (v float64, ok bool) {
	if s.Columns[column].N == 0 {
		return 0, false
	}
	v = s.Columns[column].Mean
	if s.Smooth != nil {
		if column >= len(s.Smooth) {
			return 0, false
		}
		v = s.Smooth[column]
	}
	return v, finite(v)
}

func (s *Series) drawBand(area *raster, series int, y scale) {
	for x := range area.width() {
		i, ok := s.column(x, area.width())
		if !ok || s.Columns[i].N == 0 {
			continue
		}
		column := s.Columns[i]
		top, okTop := y.dot(column.Max)
		bottom, okBottom := y.dot(column.Min)
		if !okBottom { // log: it goes down to where there is no paper
			bottom = float64(area.height())
		}
		if okTop {
			area.shade(x, area.round(top), area.round(bottom), series)
		}
	}
}

// drawLine joins each column to the one before it that has a value. A single value
// would be a speck, so it is a point.
func (s *Series) drawLine(area *raster, series int, y scale, point rune) {
	drawn, lastX, lastY := 0, -1, 0.0
	joined := false
	for x := range area.width() {
		i, ok := s.column(x, area.width())
		if !ok {
			return
		}
		v, ok := s.value(i)
		dot, visible := y.dot(v)
		switch {
		case ok && visible:
			if joined {
				area.line(lastX, lastY, x, dot, series)
			}
			area.dot(x, area.round(dot), series)
			joined, lastX, lastY = true, x, dot
			drawn++
		case ok || s.Columns[i].Bad > 0:
			joined = false
		}
	}
	if drawn == 1 {
		area.put(lastX, area.round(lastY), point, lineStyle(series))
	}
}

func (s *Series) drawConnection(area *raster, series int, from, to float64, y scale) {
	joined, lastX, lastY := false, 0, 0.0
	for _, m := range s.Marks {
		dot, visible := y.dot(m.Y)
		if !visible || !finite(m.X) {
			joined = false
			continue
		}
		x := dotAt(m.X, from, to, area.width())
		if joined && x > lastX {
			area.line(lastX, lastY, x, dot, series)
		}
		area.dot(x, area.round(dot), series)
		joined, lastX, lastY = true, x, dot
	}
}

// near is how many cells two marks on one line must be apart to be both drawn.
const near = 3

// drawMarks draws from the last mark backwards. On a line, marks that are too close
// to be told apart are left out, for the line goes through them anyway.
func (s *Series) drawMarks(area *raster, series int, from, to float64, y scale, ascii bool) {
	next := math.MaxInt
	for i := len(s.Marks) - 1; i >= 0; i-- {
		m := s.Marks[i]
		dot, visible := y.dot(m.Y)
		if !visible || !finite(m.X) {
			continue
		}
		x := dotAt(m.X, from, to, area.width())
		if s.Connect && m.Glyph == 0 && next != math.MaxInt && next-x/2 < near {
			continue
		}
		next = x / 2
		area.put(x, area.round(dot), m.rune(ascii), lineStyle(series))
	}
}

func (m Mark) rune(ascii bool) rune {
	switch {
	case m.Glyph == 0 && ascii:
		return 'o'
	case m.Glyph == 0:
		return '○'
	case ascii && (m.Glyph < ' ' || m.Glyph > '~'):
		return 'O'
	}
	return m.Glyph
}

func (c Chart) point() rune {
	if c.ASCII {
		return '*'
	}
	return '•'
}

// dotAt is the column of dots of an x, outside of 0..width-1 when x is outside of
// the chart. The right edge belongs to the last column.
func dotAt(x, from, to float64, width int) int {
	f := int(math.Floor(min(max((x-from)/(to-from)*float64(width), -far), far)))
	if x <= to {
		return min(f, width-1)
	}
	return max(f, width)
}

// asciiLines tell the lines of a chart apart where there is no colour.
const asciiLines = "*+#%@&"

// paint turns dots into the runes of a page.
func (c Chart) paint(p *page, area *raster, left int) {
	for row := range area.rows {
		for col := range area.cols {
			d := area.cells[row*area.cols+col]
			target := p.at(left+col, row)
			switch {
			case d.glyph != 0:
				*target = cell{d.glyph, d.style}
			case d.line != 0 && c.ASCII:
				*target = cell{rune(asciiLines[d.lineSeries%len(asciiLines)]), lineStyle(d.lineSeries)}
			case d.line != 0:
				*target = cell{0x2800 + rune(d.line), lineStyle(d.lineSeries)}
			case d.band != 0 && c.ASCII:
				*target = cell{asciiBand(d.band), shadeStyle(d.bandSeries)}
			case d.band != 0:
				*target = cell{0x2800 + rune(d.band), shadeStyle(d.bandSeries)}
			}
		}
	}
}

// asciiBand is ':' for a cell that a band covers from top to bottom, else '.'.
func asciiBand(band uint8) rune {
	const upper, lower = 0x01 | 0x08 | 0x02 | 0x10, 0x04 | 0x20 | 0x40 | 0x80
	if band&upper != 0 && band&lower != 0 {
		return ':'
	}
	return '.'
}
