package history

import (
	"math"
	"math/bits"
	"slices"
	"sort"
)

// Columns are n columns of equal width over the steps in (from, to], as a screen
// has them. Where a column is narrower than a step, several columns show the same
// step, so that a line that is zoomed into has no holes.
//
// Columns within the newest 4096 points are exact. The others are made of buckets,
// and a bucket counts in every column that one of its steps is in: a column's
// range holds the true one, and may show a spike of the neighbourhood, so that N
// and Bad of all columns can add up to more than there are points.
func (s *Series) Columns(from, to int64, n int) []Column {
	columns := make([]Column, max(n, 0))
	if from >= to {
		return columns
	}
	at := grid{from, uint64(to) - uint64(from), uint64(len(columns))}
	for i := range columns {
		first, last := at.steps(i)
		columns[i] = s.column(first, last)
	}
	return columns
}

// grid lays equal columns over a range of steps.
type grid struct {
	from    int64
	length  uint64 // steps; a difference of any two int64
	columns uint64
}

// steps are the first and the last step of column i. Neighbours share no step,
// unless there are fewer steps than columns.
func (g grid) steps(i int) (first, last int64) {
	begin, end := g.offset(uint64(i)), g.offset(uint64(i)+1)
	end = max(end, begin+1)
	return int64(uint64(g.from) + begin + 1), int64(uint64(g.from) + end)
}

// offset is i*length/columns, which may need 128 bits on its way.
func (g grid) offset(i uint64) uint64 {
	high, low := bits.Mul64(i, g.length)
	quotient, _ := bits.Div64(high, low, g.columns)
	return quotient
}

// column sums up the steps from first to last.
func (s *Series) column(first, last int64) Column {
	var sum bucket
	if len(s.ring) > 0 && s.raw(0).step <= first {
		i := sort.Search(len(s.ring), func(i int) bool { return s.raw(i).step >= first })
		for ; i < len(s.ring) && s.raw(i).step <= last; i++ {
			sum.add(s.raw(i))
		}
	} else {
		i := sort.Search(len(s.buckets), func(i int) bool { return s.buckets[i].last >= first })
		for ; i < len(s.buckets) && s.buckets[i].first <= last; i++ {
			sum.merge(s.buckets[i])
		}
	}
	c := Column{N: sum.n, Min: sum.min, Max: sum.max, Bad: sum.bad}
	if c.N > 0 {
		c.Mean = min(max(sum.sum/float64(c.N), c.Min), c.Max)
		if math.IsNaN(c.Mean) { // a sum beyond what a float64 holds
			c.Mean = c.Min/2 + c.Max/2
		}
	}
	return c
}

// Smooth is the exponential moving average over the means of the same columns, as
// TensorBoard has it: weight, from 0 to less than 1, is what each average takes
// over from the one before; it is debiased, so that it begins at the first value
// and not at zero; and a constant stays what it is. NaN where a column has no
// finite value.
func (s *Series) Smooth(from, to int64, n int, weight float64) []float64 {
	if from < to && n > 0 {
		// A step that several columns show is still one value.
		if length := uint64(to) - uint64(from); length < uint64(n) {
			narrow := s.Smooth(from, to, int(length), weight)
			at := grid{from, length, uint64(n)}
			smooth := make([]float64, n)
			for i := range smooth {
				smooth[i] = narrow[at.offset(uint64(i))]
			}
			return smooth
		}
	}
	if !(weight > 0) { // NaN too
		weight = 0
	}
	weight = min(weight, 0.9999)
	columns := s.Columns(from, to, n)
	return average(columns, weight)
}

func average(columns []Column, weight float64) []float64 {
	smooth := make([]float64, len(columns))
	constant := isConstant(columns)
	last, remains := 0.0, 1.0 // remains: what the zero of the beginning still weighs
	for i, c := range columns {
		switch {
		case c.N == 0:
			smooth[i] = math.NaN()
		case constant:
			smooth[i] = c.Mean
		default:
			last = weight*last + (1-weight)*c.Mean
			remains *= weight
			smooth[i] = last / (1 - remains)
		}
	}
	return smooth
}

func isConstant(columns []Column) bool {
	first := slices.IndexFunc(columns, func(c Column) bool { return c.N > 0 })
	return first < 0 || !slices.ContainsFunc(columns, func(c Column) bool { return c.N > 0 && c.Mean != columns[first].Mean })
}
