package pth

import (
	"cmp"
	"io"
	"slices"
)

const (
	// blockSize is how much of a tensor is put in order at a time, in bytes.
	blockSize = 8 << 20
	// runSize is how much is read from the file at a time, in bytes.
	runSize = 256 << 10
)

// gather reads a tensor whose elements do not lie in row-major order. The tensor is
// cut into blocks that follow each other in that order; a block is filled in the order
// of the file, so that what lies together is read together.
type gather struct {
	r     io.ReaderAt
	at    int64 // of the first element, in bytes
	width int64
	// The block is cut along this axis: all of the axes after it, rows of it, and one
	// index of each axis before.
	axis    int
	rows    int64
	shape   []int64
	strides []int64 // bytes
	index   []int64 // where the next block begins
	isDone  bool
	block   []byte // what of the block has not been read yet
	buffer  []byte // for blocks
	run     []byte
}

// newGather is for a tensor that has elements.
func newGather(r io.ReaderAt, at int64, t *Tensor) *gather {
	g := &gather{r: r, at: at, width: widths[t.DType], shape: t.Shape, index: make([]int64, len(t.Shape))}
	for _, s := range t.Strides {
		g.strides = append(g.strides, s*g.width)
	}
	row := g.width // of the axis, in bytes
	g.axis = len(t.Shape) - 1
	for g.axis > 0 && row*g.shape[g.axis] <= blockSize {
		row *= g.shape[g.axis]
		g.axis--
	}
	g.rows = min(g.shape[g.axis], max(1, blockSize/row))
	g.buffer = make([]byte, g.rows*row)
	g.run = make([]byte, max(g.width, min(runSize, t.size())))
	return g
}

func (g *gather) Read(b []byte) (int, error) {
	if len(g.block) == 0 {
		if g.isDone {
			return 0, io.EOF
		}
		if err := g.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, g.block)
	g.block = g.block[n:]
	return n, nil
}

// axisOf is an axis of a block.
type axisOf struct {
	n    int64
	from int64 // stride in the file, in bytes
	to   int64 // stride in the block, in bytes
}

// fill reads the block that begins at index, and moves index to the one after.
func (g *gather) fill() error {
	at := g.at
	for i, x := range g.index {
		at += x * g.strides[i]
	}
	rows := min(g.rows, g.shape[g.axis]-g.index[g.axis])
	axes := []axisOf{}
	size := g.width
	for i := len(g.shape) - 1; i >= g.axis; i-- {
		n := g.shape[i]
		if i == g.axis {
			n = rows
		}
		axes = append(axes, axisOf{n, g.strides[i], size})
		size *= n
	}
	if err := g.copy(merge(axes), at, g.buffer[:size]); err != nil {
		return err
	}
	g.block = g.buffer[:size]
	g.index[g.axis] += rows
	for i := g.axis; i > 0 && g.index[i] == g.shape[i]; i-- {
		g.index[i] = 0
		g.index[i-1]++
	}
	g.isDone = g.index[0] == g.shape[0]
	return nil
}

// merge puts the axes in the order of the file, the widest stride first, and makes
// one of two where that changes nothing.
func merge(axes []axisOf) []axisOf {
	axes = slices.DeleteFunc(axes, func(a axisOf) bool { return a.n == 1 })
	slices.SortStableFunc(axes, func(a, b axisOf) int { return cmp.Compare(b.from, a.from) })
	merged := axes[:0]
	for _, a := range axes {
		if last := len(merged) - 1; last >= 0 && merged[last].from == a.n*a.from && merged[last].to == a.n*a.to {
			a.n *= merged[last].n
			merged = merged[:last]
		}
		merged = append(merged, a)
	}
	if len(merged) == 0 {
		return []axisOf{{n: 1}}
	}
	return merged
}

// copy reads what the axes say.
func (g *gather) copy(axes []axisOf, at int64, into []byte) error {
	a := axes[0]
	if len(axes) > 1 {
		for i := range a.n {
			if err := g.copy(axes[1:], at+i*a.from, into[i*a.to:]); err != nil {
				return err
			}
		}
		return nil
	}
	// As many elements as lie within a run, at least one.
	most := a.n
	if a.from > 0 {
		most = max(1, (int64(len(g.run))-g.width)/a.from+1)
	}
	for i := int64(0); i < a.n; i += most {
		n := min(most, a.n-i)
		run := g.run[:(n-1)*a.from+g.width]
		if n, err := g.r.ReadAt(run, at+i*a.from); n < len(run) {
			return err
		}
		if a.from == g.width && a.to == g.width {
			copy(into[i*g.width:], run)
			continue
		}
		for j := range n {
			to := (i + j) * a.to
			copy(into[to:to+g.width], run[j*a.from:])
		}
	}
	return nil
}
