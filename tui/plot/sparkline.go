package plot

import (
	"math"
	"strings"
)

// Sparkline is a curve one cell high and exactly width cells wide, from the
// smallest to the largest value. More values than cells are averaged, fewer stand
// at the right, where news comes in. A stretch with NaN or Inf shows that.
func Sparkline(values []float64, width int, ascii bool) string {
	ramp, bad := []rune("▁▂▃▄▅▆▇█"), '×'
	if ascii {
		ramp, bad = []rune("_.-:=+*#"), 'x'
	}
	width = max(width, 0)
	cells := min(width, len(values))
	means := make([]float64, cells)
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range means {
		part := values[i*len(values)/cells : (i+1)*len(values)/cells]
		for _, v := range part {
			means[i] += v / float64(len(part))
		}
		if finite(means[i]) {
			lo, hi = min(lo, means[i]), max(hi, means[i])
		}
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", width-cells))
	for _, v := range means {
		switch {
		case !finite(v):
			b.WriteRune(bad)
		case lo == hi:
			b.WriteRune(ramp[len(ramp)/2-1])
		default:
			// Halved, so that the difference of the largest numbers is a number too.
			height := (v/2 - lo/2) / (hi/2 - lo/2)
			b.WriteRune(ramp[int(math.Round(clamp(height)*float64(len(ramp)-1)))])
		}
	}
	return b.String()
}
