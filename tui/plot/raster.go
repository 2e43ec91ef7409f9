package plot

import "math"

// A raster is the area between the axes in braille dots, 2 x 4 a cell. Bands and
// lines are kept apart, so that a line stays a line where it crosses a band.
type raster struct {
	cols, rows int
	cells      []dots
}

type dots struct {
	band, line             uint8 // braille bits
	bandSeries, lineSeries int
	glyph                  rune // over both; 0: none
	style                  int  // of the glyph
}

// bits[y][x] is the bit of a dot in a braille rune, from U+2800.
var bits = [4][2]uint8{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

func newRaster(cols, rows int) *raster {
	return &raster{cols: cols, rows: rows, cells: make([]dots, cols*rows)}
}

func (r *raster) width() int  { return 2 * r.cols }
func (r *raster) height() int { return 4 * r.rows }

func (r *raster) cell(x, y int) *dots { return &r.cells[y/4*r.cols+x/2] }

func (r *raster) dot(x, y, series int) {
	if x < 0 || x >= r.width() || y < 0 || y >= r.height() {
		return
	}
	d := r.cell(x, y)
	d.line |= bits[y%4][x%2]
	d.lineSeries = series
}

// shade fills a column of dots from top to bottom: the two ends, and every second
// dot between them, so that it is paler than a line without any colour too.
func (r *raster) shade(x, top, bottom, series int) {
	for y := max(top, 0); y <= min(bottom, r.height()-1); y++ {
		if y != top && y != bottom && (x+y)%2 == 1 {
			continue
		}
		d := r.cell(x, y)
		d.band |= bits[y%4][x%2]
		d.bandSeries = series
	}
}

// line joins two dots. Ends may lie outside; what lies inside is drawn.
func (r *raster) line(x0 int, y0 float64, x1 int, y1 float64, series int) {
	at := func(x int) int {
		if x == x0 {
			return r.round(y0)
		}
		return r.round(y0 + (y1-y0)*float64(x-x0)/float64(x1-x0))
	}
	for x := max(x0, -1); x < min(x1, r.width()); x++ {
		from, to := at(x), at(x+1)
		r.dot(x, from, series)
		r.dot(x+1, to, series)
		middle := (from + to) / 2
		for y := min(from, to) + 1; y < max(from, to); y++ {
			if (y <= middle) == (from < to) {
				r.dot(x, y, series)
			} else {
				r.dot(x+1, y, series)
			}
		}
	}
}

// round is a row of dots, at most one beyond the edges.
func (r *raster) round(y float64) int {
	return int(math.Round(min(max(y, -1), float64(r.height()))))
}

// put lays a glyph over the cell of a dot.
func (r *raster) put(x, y int, glyph rune, style int) {
	if x < 0 || x >= r.width() || y < 0 || y >= r.height() {
		return
	}
	d := r.cell(x, y)
	d.glyph, d.style = glyph, style
}
