package plot

import "math"

// A scale says how high a value stands.
type scale struct {
	lo, hi float64 // of the values; with log both are above 0
	log    bool
	height int // dots
}

// huge bounds what is drawn, so that a difference of two values is a number.
const huge = 1e300

// far bounds where it is drawn, in dots.
const far = 1e9

// dot is the row of a value, from 0 at the top, outside of the height where the
// value is; ok is false where it has no place at all.
func (s scale) dot(v float64) (y float64, ok bool) {
	if !finite(v) || s.log && v <= 0 {
		return 0, false
	}
	v = min(max(v, -huge), huge)
	lo, hi := s.lo, s.hi
	if s.log {
		lo, hi, v = math.Log10(lo), math.Log10(hi), math.Log10(v)
	}
	y = (hi - v) / (hi - lo) * float64(s.height-1)
	if math.IsNaN(y) { // no height between lo and hi that a float64 could hold
		return float64(s.height) / 2, true
	}
	return min(max(y, -far), far), true
}

// scale fits the y axis to what is drawn, or to Lo and Hi.
func (c Chart) scale(height int) scale {
	s := scale{lo: c.Lo, hi: c.Hi, log: c.Log, height: height}
	given := finite(s.lo) && finite(s.hi) && s.lo < s.hi && (!s.log || s.lo > 0)
	if !given {
		s.lo, s.hi = c.extent()
		s.lo, s.hi = widen(s.lo, s.hi, s.log)
	}
	s.lo, s.hi = max(s.lo, -huge), min(s.hi, huge)
	if s.log {
		s.lo = max(s.lo, 1/huge)
	}
	return s
}

// extent is the smallest and largest value that is drawn; NaN without any.
func (c Chart) extent() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	see := func(v float64) {
		if finite(v) && (!c.Log || v > 0) {
			v = min(max(v, -huge), huge)
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	from, to := c.window()
	for series := range c.Series {
		s := &c.Series[series]
		for i, column := range s.Columns {
			if v, ok := s.value(i); ok {
				see(v)
			}
			if s.Band && column.N > 0 {
				see(column.Min)
				see(column.Max)
			}
		}
		for _, m := range s.Marks {
			if m.X >= from && m.X <= to {
				see(m.Y)
			}
		}
	}
	if lo > hi {
		return math.NaN(), math.NaN()
	}
	return lo, hi
}

// widen makes room around values: a little, to round numbers, so that the axis
// does not move with every step, and more where all values are nearly the same.
func widen(lo, hi float64, log bool) (float64, float64) {
	switch {
	case math.IsNaN(lo) && log:
		return 0.1, 1
	case math.IsNaN(lo):
		return 0, 1
	case log:
		return widenLog(lo, hi)
	}
	size := max(math.Abs(lo), math.Abs(hi))
	if size < 1/huge {
		return 0, 1
	}
	if hi-lo < size*2e-3 {
		room := max(size*0.1, 1e-290)
		lo, hi = lo-room, hi+room
	}
	if lo > 0 && lo < hi/5 {
		lo = 0
	}
	unit := niceStep((hi - lo) / 20)
	return math.Floor(lo/unit) * unit, math.Ceil(hi/unit) * unit
}

func widenLog(lo, hi float64) (float64, float64) {
	lo, hi = max(lo, 1e-290), max(hi, 1e-290)
	if hi/lo < 1.02 {
		lo, hi = lo/1.5, hi*1.5
	}
	half := func(v float64) float64 { return math.Pow10(int(math.Floor(math.Log10(v)))) / 2 }
	return math.Floor(lo/half(lo)) * half(lo), math.Ceil(hi/half(hi)) * half(hi)
}

// niceStep is the smallest of 1, 2 and 5 times a power of ten that is not below v.
func niceStep(v float64) float64 {
	power := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}
