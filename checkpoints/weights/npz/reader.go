package npz

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	// chunkLength is a multiple of every item's size.
	chunkLength = 32 << 10
	// gatherWidth elements of column-major order, which lie side by side, are taken
	// together: the cache reads a line of memory whatever is taken of it.
	gatherWidth = 16
)

// reader streams the array as safetensors would have it.
func (a array) reader() (io.Reader, error) {
	r, err := a.checked()
	if err != nil {
		return nil, err
	}
	if a.header.fortranOrder && !sameInBothOrders(a.Shape) {
		r, err = a.materialised(r)
		if err != nil {
			return nil, err
		}
	}
	if a.header.bigEndian && a.header.itemSize > 1 {
		r = swapped(r, a.header.itemSize)
	}
	return r, nil
}

// swapped turns big-endian items into little-endian ones.
func swapped(src io.Reader, itemSize int) io.Reader {
	chunk := make([]byte, chunkLength)
	return &chunked{next: func() ([]byte, error) {
		n, err := io.ReadFull(src, chunk)
		if n > 0 && errors.Is(err, io.ErrUnexpectedEOF) { // the last chunk is shorter
			err = nil
		}
		for i := 0; i < n; i += itemSize {
			slices.Reverse(chunk[i : i+itemSize])
		}
		return chunk[:n], err
	}}
}

// checked reads the array's bytes as they are in the file.
func (a array) checked() (io.Reader, error) {
	size, err := a.Size()
	if err != nil {
		return nil, err
	}
	r, err := a.member.Open()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, a.skipped); err != nil {
		return nil, errors.Join(noEOF(err), r.Close())
	}
	return &checked{r: r, left: size}, nil
}

// checked reads left bytes of a zip's member and gives the last of them only when
// nothing follows and the checksum is right, because who reads as many bytes as
// expected never sees the error that would come instead of the end.
type checked struct {
	r    io.ReadCloser
	left int64
	err  error // from the end on, or the failure
}

func (c *checked) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(p) == 0 && c.left > 0 {
		return 0, nil
	}
	p = p[:min(int64(len(p)), c.left)]
	n := 0
	var err error
	if len(p) > 0 {
		n, err = c.r.Read(p)
	}
	c.left -= int64(n)
	if c.left == 0 && err == nil {
		err = c.end()
	}
	if err == io.EOF && c.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		return n, nil
	}
	c.err = err
	if closing := c.r.Close(); err == io.EOF && closing != nil {
		c.err = closing
	}
	if c.err != io.EOF {
		n = 0
	}
	return n, c.err
}

// end is [io.EOF] when the member ends here as it should.
func (c *checked) end() error {
	var one [1]byte
	n, err := c.r.Read(one[:])
	switch {
	case n > 0:
		return errors.New("it is longer than its shape")
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

// sameInBothOrders says whether no more than one axis is longer than 1, or the array
// has no element.
func sameInBothOrders(shape []int) bool {
	long := 0
	for _, d := range shape {
		if d == 0 {
			return true
		}
		if d > 1 {
			long++
		}
	}
	return long <= 1
}

// materialised turns column-major bytes into row-major ones. They are read twice:
// memory is asked for once it is known that they are there.
func (a array) materialised(first io.Reader) (io.Reader, error) {
	n, err := io.Copy(io.Discard, first)
	if err != nil {
		return nil, err
	}
	second, err := a.checked()
	if err != nil {
		return nil, err
	}
	src := make([]byte, n)
	if _, err := io.ReadFull(second, src); err != nil {
		return nil, fmt.Errorf("it changed while it was read: %w", err)
	}
	return &chunked{next: newGather(src, a.Shape, a.header.itemSize).next}, nil
}

// gather walks over a column-major array in blocks of rows, a row being all elements
// of one index of the first axis.
type gather struct {
	src   []byte
	size  int   // of an element in bytes
	rows  int   // the first axis
	shape []int // the other axes
	row   int   // the next
	block []byte
}

// newGather is for arrays of at least two axes that are longer than 1.
func newGather(src []byte, shape []int, size int) *gather {
	long := slices.DeleteFunc(slices.Clone(shape), func(d int) bool { return d == 1 })
	return &gather{src: src, size: size, rows: long[0], shape: long[1:]}
}

// next returns the next rows in row-major order, which stay as they are until it is
// called again.
func (g *gather) next() ([]byte, error) {
	n := min(gatherWidth, g.rows-g.row)
	if n == 0 {
		return nil, io.EOF
	}
	column := g.rows * g.size // bytes
	length := len(g.src) / g.rows
	if g.block == nil {
		g.block = make([]byte, n*length)
	}
	index := make([]int, len(g.shape))
	from := g.row * g.size
	for to := 0; to < length; to += g.size {
		for i := range n {
			copy(g.block[i*length+to:][:g.size], g.src[from+i*g.size:][:g.size])
		}
		// One step in row-major order, whose last axis varies fastest. Each axis of
		// the source strides over all those before it.
		for axis := len(index) - 1; axis >= 0; axis-- {
			stride := column
			for _, d := range g.shape[:axis] {
				stride *= d
			}
			from += stride
			if index[axis]++; index[axis] < g.shape[axis] {
				break
			}
			from -= stride * g.shape[axis]
			index[axis] = 0
		}
	}
	g.row += n
	return g.block[:n*length], nil
}

// chunked reads what comes in chunks in pieces of any length.
type chunked struct {
	next func() ([]byte, error)
	rest []byte // of a chunk
	err  error
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(c.rest) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.rest, c.err = c.next()
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
