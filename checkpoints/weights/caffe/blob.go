package caffe

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of BlobProto that are read. The differences (6 and 9) that a snapshot of
// a solver may have are passed over.
const (
	blobNum    protowire.Number = 1 // to 4: channels, height, width
	blobWidth  protowire.Number = 4
	blobData   protowire.Number = 5
	blobShape  protowire.Number = 7
	blobDouble protowire.Number = 8
	shapeDim   protowire.Number = 1 // of BlobShape
)

// maxDims is Caffe's kMaxBlobAxes.
const maxDims = 32

// piece is count numbers of a blob, stride bytes apart. Packed numbers are side by
// side; others have the number of their field before each.
type piece struct {
	start, count, stride int64
	width                int64 // of a number in bytes
	packed               bool
}

// numbers are the places of a repeated field, which the format lets come in any
// number of pieces.
type numbers struct {
	width  int64
	pieces []piece
	count  int64
}

// blob reads a BlobProto but for its numbers.
func (n *net) blob(s span) (tensor, error) {
	shape, legacy := []int{}, [blobWidth]int{}
	floats, doubles := numbers{width: 4}, numbers{width: 8}
	hasLegacy := false
	err := n.each(s, func(f field) (err error) {
		switch f.number {
		case blobNum, blobNum + 1, blobNum + 2, blobWidth:
			hasLegacy = true
			legacy[f.number-blobNum], err = legacyDim(f)
		case blobData:
			err = n.numbers(&floats, f, protowire.Fixed32Type)
		case blobDouble:
			err = n.numbers(&doubles, f, protowire.Fixed64Type)
		case blobShape:
			shape, err = n.shape(shape, f)
		}
		return err
	})
	if err != nil {
		return tensor{}, err
	}
	// Which of two goes before is Caffe's rule (Blob::FromProto).
	if hasLegacy {
		shape = legacy[:]
	}
	dtype, chosen := "F32", floats
	if doubles.count > 0 {
		dtype, chosen = "F64", doubles
	}
	described, err := info(dtype, shape, chosen.count, chosen.width)
	return tensor{described, chosen.pieces}, err
}

func legacyDim(f field) (int, error) {
	if err := f.is(protowire.VarintType); err != nil {
		return 0, err
	}
	if f.bits > math.MaxInt32 {
		return 0, fmt.Errorf("dimension %d is negative or too large", int64(f.bits)) // #nosec G115 -- only shown, as Caffe would take it
	}
	return int(f.bits), nil
}

// shape adds the dimensions of a BlobShape. Two of them in one message are merged, as
// the format has it.
func (n *net) shape(shape []int, f field) ([]int, error) {
	if err := f.is(protowire.BytesType); err != nil {
		return nil, err
	}
	add := func(v uint64) error {
		if len(shape) == maxDims {
			return fmt.Errorf("it has more than %d dimensions", maxDims)
		}
		if v > math.MaxInt {
			return fmt.Errorf("dimension %d is negative or too large", int64(v)) // #nosec G115 -- only shown, as Caffe would take it
		}
		shape = append(shape, int(v))
		return nil
	}
	err := n.each(f.span, func(f field) error {
		if f.number != shapeDim {
			return nil
		}
		if f.kind == protowire.VarintType {
			return add(f.bits)
		}
		if err := f.is(protowire.BytesType); err != nil {
			return err
		}
		for pos := f.start; pos < f.end; {
			b, err := n.peek(pos, maxHead, f.end)
			if err != nil {
				return err
			}
			v, k := protowire.ConsumeVarint(b)
			if k < 0 {
				return damaged(pos, "a dimension that is no number")
			}
			if err := add(v); err != nil {
				return err
			}
			pos += int64(k)
		}
		return nil
	})
	return shape, err
}

// numbers notes where a field's numbers are: packed, as Caffe has them since 2013, or
// a single one of the kind alone.
func (n *net) numbers(to *numbers, f field, alone protowire.Type) error {
	p := piece{start: f.start, count: f.length() / to.width, stride: to.width, width: to.width, packed: true}
	switch {
	case f.kind == alone: // the number has been read over with the head
		p.start, p.count, p.packed = f.start-to.width, 1, false
	case f.kind != protowire.BytesType:
		return f.is(protowire.BytesType)
	case f.length()%to.width != 0:
		return damaged(f.start, fmt.Sprintf("%d bytes are no whole numbers of %d", f.length(), to.width))
	case p.count == 0:
		return nil
	}
	to.count += p.count
	if k := len(to.pieces) - 1; !p.packed && k >= 0 && to.pieces[k].continuedBy(p) {
		to.pieces[k].stride = (p.start - to.pieces[k].start) / to.pieces[k].count
		to.pieces[k].count++
		return nil
	}
	if n.pieces++; n.pieces > maxPieces {
		return fmt.Errorf("its numbers are in more than %d pieces", maxPieces)
	}
	to.pieces = append(to.pieces, p)
	return nil
}

// continuedBy says whether the single number next is as far from p's last as that is
// from the one before. The second number sets how far.
func (p piece) continuedBy(next piece) bool {
	const maxStride = 32 // what is between is read over, too
	switch {
	case p.packed:
		return false
	case p.count == 1:
		return next.start-p.start <= maxStride
	}
	return next.start == p.start+p.count*p.stride
}
