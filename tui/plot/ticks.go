package plot

import (
	"math"
	"strconv"
	"strings"
)

// A tick is a number on an axis.
type tick struct {
	value float64
	label string
}

// yTicks are round numbers on the y axis, at least gap rows apart, with labels of
// at most labelWidth cells that differ from each other.
func (c Chart) yTicks(s scale, gap float64) []tick {
	if s.log {
		return c.logTicks(s, gap)
	}
	return c.linearTicks(s, gap)
}

func (c Chart) linearTicks(s scale, gap float64) []tick {
	rows := float64(s.height) / 4
	span := s.hi - s.lo
	step := niceStep(max(span*min(gap/rows, 1), span*1e-3, 1e-300))
	for range 20 {
		values := multiples(step, s.lo, s.hi)
		if labels, ok := c.labels(values, step); ok {
			ticks := make([]tick, len(values))
			for i, v := range values {
				ticks[i] = tick{v, labels[i]}
			}
			return apart(ticks, s, gap)
		}
		step = niceStep(step * 1.5)
	}
	return nil
}

// logTicks takes the sparsest of a few patterns that still gives two ticks.
func (c Chart) logTicks(s scale, gap float64) []tick {
	first, last := math.Floor(math.Log10(s.lo)), math.Ceil(math.Log10(s.hi))
	rowsPerDecade := float64(s.height) / 4 / max(math.Log10(s.hi/s.lo), 1e-9)
	every := max(1, math.Ceil(gap/rowsPerDecade))
	for _, pattern := range [][]float64{{1}, {1, 5}, {1, 2, 5}} {
		var ticks []tick
		for e := math.Ceil(first/every) * every; e <= last; e += every {
			for _, m := range pattern {
				v := m * math.Pow10(int(e))
				if v >= s.lo*(1-1e-9) && v <= s.hi*(1+1e-9) {
					ticks = append(ticks, tick{v, c.label(v)})
				}
			}
		}
		dense := len(pattern) > 1
		ticks = apart(ticks, s, gap)
		if len(ticks) >= 3 || len(ticks) == 2 && !dense && rowsPerDecade < 3*gap {
			return ticks
		}
	}
	return c.linearTicks(s, gap)
}

// apart drops ticks that would stand in the row of another or right next to it.
func apart(ticks []tick, s scale, gap float64) []tick {
	var kept []tick
	last := math.Inf(1)
	for _, t := range ticks {
		y, ok := s.dot(t.value)
		row := math.Floor(math.Round(y) / 4)
		if ok && last-row >= math.Floor(gap) {
			kept = append(kept, t)
			last = row
		}
	}
	return kept
}

// multiples are the multiples of step from lo to hi, at most a thousand.
func multiples(step, lo, hi float64) []float64 {
	var values []float64
	first, last := math.Ceil(lo/step-1e-6), math.Floor(hi/step+1e-6)
	for i := 0.0; i < 1000 && first+i <= last; i++ {
		values = append(values, (first+i)*step)
	}
	return values
}

// labels writes multiples of a step in the first notation in which all of them fit
// and differ.
func (c Chart) labels(values []float64, step float64) ([]string, bool) {
	unit := ""
	if c.Percent {
		scaled := make([]float64, len(values))
		for i, v := range values {
			scaled[i] = 100 * v
		}
		values, step, unit = scaled, 100*step, "%"
	}
	size := 0.0
	for _, v := range values {
		size = max(size, math.Abs(v))
	}
	exponent := int(math.Floor(math.Log10(step) + 1e-9))
	places := max(0, -exponent)
	notations := []func(v float64) string{
		func(v float64) string { return strconv.FormatFloat(v, 'f', places, 64) + unit },
		func(v float64) string { // .0125
			return strings.Replace(strconv.FormatFloat(v, 'f', places, 64), "0.", ".", 1) + unit
		},
	}
	thousands := func(v float64) string { return thousand(v) + unit }
	if size >= 1e4 {
		notations = []func(v float64) string{thousands}
	}
	notations = append(notations, func(v float64) string { // 12e-5
		return strconv.FormatFloat(math.Round(v/math.Pow10(exponent)), 'f', 0, 64) + "e" + strconv.Itoa(exponent) + unit
	})
	for _, write := range notations {
		labels := make([]string, len(values))
		ok := true
		for i, v := range values {
			labels[i] = "0" + unit
			if math.Abs(v) > step/2 {
				labels[i] = write(v)
			} else if places > 0 && write(1)[0] == '1' && strings.Contains(write(1), ".") {
				labels[i] = write(0)
			}
			ok = ok && len(labels[i]) <= labelWidth && (i == 0 || labels[i] != labels[i-1])
		}
		if ok {
			return labels, true
		}
	}
	return nil, false
}

// label writes one number by itself in at most labelWidth cells.
func (c Chart) label(v float64) string {
	unit := ""
	if c.Percent {
		v, unit = 100*v, "%"
	}
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if v >= 1e3 {
		text = thousand(v)
	}
	if len(text)+len(unit) <= labelWidth {
		return text + unit
	}
	exponent := int(math.Floor(math.Log10(v) + 1e-9))
	return strconv.FormatFloat(math.Round(v/math.Pow10(exponent)), 'f', 0, 64) + "e" + strconv.Itoa(exponent)
}

// thousand writes 1200 as 1.2k, 3000000 as 3M: exactly, as steps are whole numbers.
func thousand(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= unit.size {
			return strconv.FormatFloat(math.Round(v)/unit.size, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
}
