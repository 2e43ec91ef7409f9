package datasets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
)

// castagnoli is the checksum that processors have an instruction for.
func castagnoli(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// newRecord is the record of s. Its entry lacks the offset.
func newRecord(s Sample) packedRecord {
	size := s.Image.Rect.Size()
	e := packEntry{image: extent{size.Y, size.X}, id: len(s.ID), doubtful: s.doubtful}
	if s.Label != nil {
		e.label = extent{s.Label.Rect.Dy(), s.Label.Rect.Dx()}
	}
	record := make([]byte, 3*e.image.area(), e.bytes())
	for y := range size.Y {
		packRow(record[3*y*size.X:][:3*size.X], s.Image.Pix[y*s.Image.Stride:][:4*size.X])
	}
	for y := range e.label.h {
		record = append(record, s.Label.Pix[y*s.Label.Stride:][:e.label.w]...)
	}
	record = append(record, s.ID...)
	e.sum = castagnoli(record)
	return packedRecord{record, e}
}

// read takes a sample out of the file.
func (p *Pack) read(e packEntry) (Sample, error) {
	buffer, _ := p.buffers.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	defer p.buffers.Put(buffer)
	if n := int(e.bytes()); cap(*buffer) < n {
		*buffer = make([]byte, n)
	}
	record := (*buffer)[:e.bytes()]
	if _, err := p.file.ReadAt(record, e.offset); err != nil {
		return Sample{}, plainPathError(err)
	}
	if castagnoli(record) != e.sum {
		return Sample{}, errors.New("its checksum is wrong")
	}
	pixels, rest := record[:3*e.image.area()], record[3*e.image.area():]
	s := Sample{ID: string(rest[e.label.area():]), doubtful: e.doubtful}
	s.Image = image.NewNRGBA(image.Rect(0, 0, e.image.w, e.image.h))
	unpackRow(s.Image.Pix, pixels)
	if (e.label == extent{}) {
		return s, nil
	}
	s.Label = image.NewGray(image.Rect(0, 0, e.label.w, e.label.h))
	copy(s.Label.Pix, rest)
	// A checksum is no proof of who wrote it, and a label without a class would be
	// counted beyond the end of a table.
	classes, highest := len(p.src.Classes()), uint8(0)
	for _, v := range s.Label.Pix {
		if v != Ignore {
			highest = max(highest, v)
		}
	}
	if int(highest) >= max(1, classes) {
		return Sample{}, fmt.Errorf("label %d, where there are %d classes", highest, classes)
	}
	return s, nil
}

// packRow drops the alpha of RGBA pixels: dst has 3 bytes for each 4 of src.
func packRow(dst, src []uint8) {
	// Four pixels at a time, as three words of four bytes. The words are put together
	// from little ends, whatever the processor's own are.
	for len(src) >= 16 {
		s, d := (*[16]uint8)(src), (*[12]uint8)(dst)
		a, b := binary.LittleEndian.Uint32(s[0:]), binary.LittleEndian.Uint32(s[4:])
		c, e := binary.LittleEndian.Uint32(s[8:]), binary.LittleEndian.Uint32(s[12:])
		binary.LittleEndian.PutUint32(d[0:], a&0xffffff|b<<24)
		binary.LittleEndian.PutUint32(d[4:], b>>8&0xffff|c<<16)
		binary.LittleEndian.PutUint32(d[8:], c>>16&0xff|e<<8)
		src, dst = src[16:], dst[12:]
	}
	for ; len(src) >= 4; src, dst = src[4:], dst[3:] {
		*(*[3]uint8)(dst) = [3]uint8(src)
	}
}

// unpackRow gives RGB pixels an alpha of 255: dst has 4 bytes for each 3 of src.
func unpackRow(dst, src []uint8) {
	const alpha = 0xff << 24
	for len(src) >= 12 {
		s, d := (*[12]uint8)(src), (*[16]uint8)(dst)
		a, b, c := binary.LittleEndian.Uint32(s[0:]), binary.LittleEndian.Uint32(s[4:]), binary.LittleEndian.Uint32(s[8:])
		binary.LittleEndian.PutUint32(d[0:], a|alpha)
		binary.LittleEndian.PutUint32(d[4:], a>>24|b<<8|alpha)
		binary.LittleEndian.PutUint32(d[8:], b>>16|c<<16|alpha)
		binary.LittleEndian.PutUint32(d[12:], c>>8|alpha)
		src, dst = src[12:], dst[16:]
	}
	for ; len(src) >= 3; src, dst = src[3:], dst[4:] {
		*(*[4]uint8)(dst) = [4]uint8{src[0], src[1], src[2], 255}
	}
}
