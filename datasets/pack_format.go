package datasets

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// The format of a pack, all numbers little-endian:
//
//	header   128 bytes
//	records  one a sample, in the order of the source, without gaps: RGB pixels
//	         [H,W,3], labels [LabelH,LabelW], the sample's ID
//	index    40 bytes a sample
//
// The header is written last. It holds the hash of the index and of itself, and the
// index the checksum of every record; so whatever is cut off or changed is noticed
// before it is used.
const (
	packMagic   = "fcnxpack"
	packVersion = 1 // whoever changes the format, or a pixel that a decoder gives, raises it

	packHeaderSize = 128
	packEntrySize  = 40
)

// maxPackedID bounds the name of a sample, in bytes: a path as long as Linux takes.
const maxPackedID = 1 << 12

// packHeader is what a pack says of itself.
type packHeader struct {
	samples uint64
	index   uint64   // where the index begins
	key     [32]byte // of what it was made from
	hash    [32]byte // SHA-256 of the index
}

func (h packHeader) encode() []byte {
	out := append(make([]byte, 0, packHeaderSize), packMagic...)
	out = binary.LittleEndian.AppendUint64(out, packVersion)
	out = binary.LittleEndian.AppendUint64(out, h.samples)
	out = binary.LittleEndian.AppendUint64(out, h.index)
	out = append(out, h.key[:]...)
	out = append(out, h.hash[:]...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// uselessPack is why a pack is made anew.
type uselessPack string

func (u uselessPack) Error() string { return string(u) }

// errNoPack is of a file that somebody else put there, and that is left alone.
var errNoPack = errors.New("there is a file of that name that is no pack, or one whose first bytes are damaged; move it away, or give another directory")

func decodePackHeader(data [packHeaderSize]byte) (h packHeader, err error) {
	body, sum := data[:packHeaderSize-sha256.Size], sha256.Sum256(data[:packHeaderSize-sha256.Size])
	switch {
	case !bytes.HasPrefix(body, []byte(packMagic)):
		return h, errNoPack
	case binary.LittleEndian.Uint64(body[8:]) != packVersion:
		return h, uselessPack("another version of fcnx made it")
	case !bytes.Equal(sum[:], data[len(body):]):
		return h, uselessPack("its header is damaged")
	}
	h.samples = binary.LittleEndian.Uint64(body[16:])
	h.index = binary.LittleEndian.Uint64(body[24:])
	copy(h.key[:], body[32:])
	copy(h.hash[:], body[64:])
	return h, nil
}

// packEntry says where the record of a sample is, and what is in it.
type packEntry struct {
	offset   int64
	image    extent // zero: the sample could not be decoded, and has no record
	label    extent // zero: it has no label
	id       int    // bytes of it
	doubtful bool   // as of [Sample]
	sum      uint32 // CRC-32C of the record
}

// bytes is how long the record is.
func (e packEntry) bytes() int64 { return 3*e.image.area() + e.label.area() + int64(e.id) }

// missing tells whether the sample has no record.
func (e packEntry) missing() bool { return e.image == extent{} }

func (e packEntry) append(out []byte) []byte {
	out = binary.LittleEndian.AppendUint64(out, uint64(e.offset))
	flags := 0
	if e.doubtful {
		flags = 1
	}
	for _, n := range []int{e.image.h, e.image.w, e.label.h, e.label.w, e.id, flags} {
		out = binary.LittleEndian.AppendUint32(out, uint32(n))
	}
	out = binary.LittleEndian.AppendUint32(out, e.sum)
	return binary.LittleEndian.AppendUint32(out, 0)
}

// decodePackIndex reads the entries of an index of whole entries that begins at end,
// and trusts none of them: records lie one behind the other up to there, and no image
// has more than maxPixels.
func decodePackIndex(data []byte, end, maxPixels int64) ([]packEntry, error) {
	entries := make([]packEntry, len(data)/packEntrySize)
	next := int64(packHeaderSize)
	for i := range entries {
		raw := data[i*packEntrySize:][:packEntrySize]
		number := func(at int) int { return int(binary.LittleEndian.Uint32(raw[at:])) }
		e := packEntry{
			offset: int64(binary.LittleEndian.Uint64(raw)),
			image:  extent{number(8), number(12)}, label: extent{number(16), number(20)},
			id: number(24), doubtful: number(28) == 1, sum: uint32(number(32)),
		}
		// Sides are below 2^32, so that their product fits 64 bits, and three times that
		// need not: the cap comes first.
		fits := func(size extent) bool { return uint64(size.h)*uint64(size.w) <= uint64(maxPixels) }
		ok := fits(e.image) && fits(e.label) && e.id <= maxPackedID && number(28) <= 1 && number(36) == 0
		for _, size := range []extent{e.image, e.label} {
			ok = ok && (size.h == 0) == (size.w == 0)
		}
		ok = ok && e.offset == next && (!e.missing() || e.bytes() == 0) && e.bytes() <= end-next
		if !ok {
			return nil, uselessPack(fmt.Sprintf("its index is wrong at sample %d", i))
		}
		next += e.bytes()
		entries[i] = e
	}
	if next != end {
		return nil, uselessPack("its index is wrong: it leaves bytes out")
	}
	return entries, nil
}
