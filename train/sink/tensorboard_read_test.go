package sink

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// This file reads event files back, the slow and plain way: bit by bit and byte by
// byte, with nothing taken from the writer.

func ieee(data []byte) uint32 { return crc32.ChecksumIEEE(data) }

// slowCRC is CRC-32C by its definition: polynomial division, a bit at a time.
func slowCRC(data []byte) uint32 {
	crc := ^uint32(0)
	for _, b := range data {
		crc ^= uint32(b)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0x82f63b78
			} else {
				crc >>= 1
			}
		}
	}
	return ^crc
}

// readFrames takes a file apart. A file that does not end with a whole frame, or
// whose checksums are wrong, fails the test.
func readFrames(t *testing.T, data []byte) [][]byte {
	t.Helper()
	checked := func(p []byte, sum []byte) {
		crc := slowCRC(p)
		rotated := uint32(uint64(crc)>>15 | uint64(crc)<<17&0xffffffff)
		require.Equal(t, uint32((uint64(rotated)+0xa282ead8)%(1<<32)), binary.LittleEndian.Uint32(sum), "checksum")
	}
	var frames [][]byte
	for len(data) > 0 {
		require.GreaterOrEqual(t, len(data), 12, "a torn frame")
		checked(data[:8], data[8:12])
		n := int(binary.LittleEndian.Uint64(data))
		require.GreaterOrEqual(t, len(data), 16+n, "a torn frame")
		checked(data[12:12+n], data[12+n:16+n])
		frames = append(frames, data[12:12+n])
		data = data[16+n:]
	}
	return frames
}

// field is one of a protocol buffer: a number, or bytes.
type field struct {
	number int
	bits   uint64
	data   []byte
}

func fields(t *testing.T, data []byte) []field {
	t.Helper()
	uvarint := func() (v uint64) {
		for shift := 0; ; shift += 7 {
			require.NotEmpty(t, data)
			b := data[0]
			data = data[1:]
			v |= uint64(b&0x7f) << shift
			if b < 0x80 {
				return v
			}
		}
	}
	take := func(n int) []byte {
		require.GreaterOrEqual(t, len(data), n)
		p := data[:n]
		data = data[n:]
		return p
	}
	var all []field
	for len(data) > 0 {
		key := uvarint()
		f := field{number: int(key >> 3)}
		switch key & 7 {
		case 0:
			f.bits = uvarint()
		case 1:
			f.bits = binary.LittleEndian.Uint64(take(8))
		case 2:
			f.data = take(int(uvarint()))
		case 5:
			f.bits = uint64(binary.LittleEndian.Uint32(take(4)))
		default:
			require.Failf(t, "wire type", "%d", key&7)
		}
		all = append(all, f)
	}
	return all
}

// eventLine is an Event in words.
func eventLine(t *testing.T, data []byte) string {
	t.Helper()
	var b strings.Builder
	for _, f := range fields(t, data) {
		switch f.number {
		case 1:
			fmt.Fprintf(&b, "time %.2f ", math.Float64frombits(f.bits))
		case 2:
			fmt.Fprintf(&b, "step %d ", int64(f.bits))
		case 3:
			fmt.Fprintf(&b, "version %s", f.data)
		case 5:
			for _, v := range fields(t, f.data) {
				require.Equal(t, 1, v.number)
				b.WriteString("\n  " + valueLine(t, v.data))
			}
		case 7:
			require.Equal(t, []field{{number: 1, bits: 1}}, fields(t, f.data))
			b.WriteString("session start")
		default:
			require.Failf(t, "event", "field %d", f.number)
		}
	}
	return b.String()
}

func valueLine(t *testing.T, data []byte) string {
	t.Helper()
	var b strings.Builder
	for _, f := range fields(t, data) {
		switch f.number {
		case 1:
			fmt.Fprintf(&b, "%s ", f.data)
		case 2:
			fmt.Fprintf(&b, "%v", math.Float32frombits(uint32(f.bits)))
		case 4:
			b.WriteString("image")
			for _, part := range fields(t, f.data) {
				if part.number < 4 {
					fmt.Fprintf(&b, " %d", part.bits)
					continue
				}
				img, err := png.Decode(bytes.NewReader(part.data))
				require.NoError(t, err)
				b.WriteString(" of")
				for y := range img.Bounds().Dy() {
					b.WriteString("\n   ")
					for x := range img.Bounds().Dx() {
						c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
						fmt.Fprintf(&b, " %02x%02x%02x", c.R, c.G, c.B)
					}
				}
			}
		default:
			require.Failf(t, "value", "field %d", f.number)
		}
	}
	return b.String()
}
