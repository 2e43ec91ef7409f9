package weights

import (
	"encoding/binary"
	"math"
)

// decoders turn little-endian numbers into float32, by the file's name of the dtype.
// F64 may overflow to an infinity, which is refused later like any other.
var decoders = map[string]struct {
	size int // bytes a number
	into func(dst []float32, src []byte)
}{
	"F32": {4, func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	}},
	"F64": {8, func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		}
	}},
	"F16": {2, func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = fromF16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	}},
	"BF16": {2, func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
		}
	}},
}

// fromF16 widens an IEEE 754 binary16 number: 1 bit of sign, 5 of exponent with a
// bias of 15, 10 of fraction.
func fromF16(h uint16) float32 {
	const (
		infinity  = 0x1f
		biases    = 127 - 15
		fractions = 23 - 10
	)
	sign := uint32(h>>15) << 31
	exponent := uint32(h >> 10 & 0x1f)
	fraction := uint32(h & 0x3ff)
	switch exponent {
	case 0: // zero, or a number below 2^-14, which float32 holds without trouble
		v := float32(fraction) * 0x1p-24
		return math.Float32frombits(math.Float32bits(v) | sign)
	case infinity:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<fractions)
	}
	return math.Float32frombits(sign | (exponent+biases)<<23 | fraction<<fractions)
}
