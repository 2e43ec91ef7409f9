package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// A kernel is turned in blocks of blockOut output channels, and a block in tiles of
// tileRow values of each. fc6 of VGG-16 has 102 million values: walked one by one,
// nearly every access on one side would miss the cache. A tile fits into the first
// cache, is filled from whole cache lines and emptied into whole cache lines.
const (
	blockOut = 32
	tileRow  = 64
)

type tile [tileRow * blockOut]float32

// toFile turns n output channels from channel o on: dst is [n,in,hw], src is
// [hw,in,out]. n is at most blockOut.
func (l layout) toFile(dst, src []float32, o, n int) {
	var t tile
	row := l.row()
	for q := 0; q < row; q += tileRow {
		width := min(tileRow, row-q)
		for x := range width {
			channel, k := (q+x)/l.hw, (q+x)%l.hw
			from := src[(k*l.in+channel)*l.out+o:][:n]
			for j, v := range from {
				t[j*tileRow+x] = v
			}
		}
		for j := range n {
			copy(dst[j*row+q:], t[j*tileRow:][:width])
		}
	}
}

// fromFile is the inverse of toFile: dst is [hw,in,out], src is [n,in,hw].
func (l layout) fromFile(dst, src []float32, o, n int) {
	var t tile
	row := l.row()
	for q := 0; q < row; q += tileRow {
		width := min(tileRow, row-q)
		for j := range n {
			for x, v := range src[j*row+q:][:width] {
				t[x*blockOut+j] = v
			}
		}
		for x := range width {
			channel, k := (q+x)/l.hw, (q+x)%l.hw
			copy(dst[(k*l.in+channel)*l.out+o:], t[x*blockOut:][:n])
		}
	}
}

// write writes values, in fcnx's layout, to w in the file's.
func (l layout) write(w io.Writer, values []float32) error {
	if len(values) != l.size() {
		return fmt.Errorf("variable %s has %d values, and its shape wants %d", l.name, len(values), l.size())
	}
	floats := make([]float32, min(blockOut, l.out)*l.row())
	bytes := make([]byte, 4*len(floats))
	for o := 0; o < l.out; o += blockOut {
		n := min(blockOut, l.out-o)
		block := floats[:n*l.row()]
		l.toFile(block, values, o, n)
		for i, v := range block {
			bits := math.Float32bits(v)
			if !isFinite(bits) {
				return fmt.Errorf("%s is %g: the network has diverged, export an earlier checkpoint", l.element(o*l.row()+i), v)
			}
			binary.LittleEndian.PutUint32(bytes[4*i:], bits)
		}
		if _, err := w.Write(bytes[:4*len(block)]); err != nil {
			return err
		}
	}
	return nil
}

// read returns values in fcnx's layout of a tensor of the given dtype.
func (l layout) read(r io.Reader, dtype string) ([]float32, error) {
	decode := decoders[dtype]
	values := make([]float32, l.size())
	floats := make([]float32, min(blockOut, l.out)*l.row())
	bytes := make([]byte, decode.size*len(floats))
	for o := 0; o < l.out; o += blockOut {
		n := min(blockOut, l.out-o)
		block := floats[:n*l.row()]
		raw := bytes[:decode.size*len(block)]
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, fmt.Errorf("%s: %w", l.file.Name, err)
		}
		decode.into(block, raw)
		for i, v := range block {
			if !isFinite(math.Float32bits(v)) {
				return nil, l.notFinite(o*l.row()+i, v)
			}
		}
		l.fromFile(values, block, o, n)
	}
	return values, nil
}

// isFinite looks at the exponent, which NaN and the infinities fill with ones.
func isFinite(bits uint32) bool { return bits&0x7f800000 != 0x7f800000 }

// notFinite is the error of value i of the file's tensor.
func (l layout) notFinite(i int, v float32) error {
	return fmt.Errorf("%s is %g as float32: weights must be finite", l.element(i), v)
}

// element names value i, in row-major order, as a place in the file's tensor.
func (l layout) element(i int) string {
	place := make([]int, len(l.file.Shape))
	for d := len(place) - 1; d >= 0; d-- {
		place[d] = i % l.file.Shape[d]
		i /= l.file.Shape[d]
	}
	return l.file.Name + shape(place)
}
