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

// yTicks are round numbers on the y axis with labels that differ, gap rows apart or
// less where that would leave fewer than two. A label that cannot be true in
// labelWidth cells is left out.
func (c Chart) yTicks(s scale, gap int) []tick {
	var ticks []tick
	for ; gap >= 1 && len(ticks) < 2; gap-- {
		if s.log {
			ticks = c.logTicks(s, float64(gap))
		} else {
			ticks = c.linearTicks(s, float64(gap))
		}
	}
	return ticks
}

func (c Chart) linearTicks(s scale, gap float64) []tick {
	// With gap rows of dots between them, no two land in rows that are nearer.
	span := s.hi - s.lo
	step := niceStep(max(span*min(4*gap/float64(max(s.height-1, 1)), 1), span*1e-3, 1e-300))
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
	rowsPerDecade := float64(s.height-1) / 4 / max(math.Log10(s.hi/s.lo), 1e-9)
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
	unit, times := "", 1.0
	if c.Percent {
		unit, times = "%", 100
	}
	step *= times
	exponent := int(math.Floor(math.Log10(step) + 1e-9))
	places := max(0, -exponent)
	decimal := func(v float64) string { return strconv.FormatFloat(v, 'f', places, 64) }
	short := func(v float64) string { // .0125
		switch digits := strings.TrimPrefix(decimal(math.Abs(v)), "0"); {
		case v == 0:
			return "0"
		case v < 0:
			return "-" + digits
		default:
			return digits
		}
	}
	power := func(v float64) string { // 12e-5
		if v == 0 {
			return "0"
		}
		return strconv.FormatFloat(math.Round(v/math.Pow10(exponent)), 'f', 0, 64) + "e" + strconv.Itoa(exponent)
	}
	largest := 0.0
	if len(values) > 0 {
		largest = max(math.Abs(values[0]), math.Abs(values[len(values)-1])) * times
	}
	notations := []func(float64) string{decimal, short, power}
	switch {
	case largest >= 1e4:
		notations = []func(float64) string{thousand, power}
	case largest < 1e-3:
		notations = []func(float64) string{power}
	}
	for _, write := range notations {
		labels := make([]string, len(values))
		ok := true
		for i, v := range values {
			if v *= times; math.Abs(v) < step/2 {
				v = 0 // not -0.0, nor 1e-17
			}
			labels[i] = write(v) + unit
			if ok = len(labels[i]) <= labelWidth && (i == 0 || labels[i] != labels[i-1]); !ok {
				break
			}
		}
		if ok {
			return labels, true
		}
	}
	return nil, false
}

// label writes one number by itself; "" if it does not fit.
func (c Chart) label(v float64) string {
	unit := ""
	if c.Percent {
		v, unit = 100*v, "%"
	}
	exponent := int(math.Floor(math.Log10(v) + 1e-9))
	// Not what binary fractions make of it, such as 7.000000000000001%.
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	plain := strconv.FormatFloat(v, 'f', -1, 64)
	if v >= 1e3 {
		plain = thousand(v)
	}
	power := strconv.FormatFloat(math.Round(v/math.Pow10(exponent)), 'f', 0, 64) + "e" + strconv.Itoa(exponent)
	for _, text := range []string{plain + unit, power + unit} {
		if len(text) <= labelWidth {
			return text
		}
	}
	return ""
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
