package datasets

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// facts are what a header says beside the size, and what Go's decoders pass over.
type facts struct {
	// orientation is EXIF's: 1 as stored, 2 to 8 mirrored or turned; 0: none is said.
	orientation int
	frames      int  // pictures of an animation; 0: it is a still picture
	frame       byte // the JPEG marker of its kind, SOF0 to SOF15; 0 in other formats
	depth       int  // of a JPEG, in bits
}

// maxPieces bounds the segments or chunks that are walked over in search of facts. A
// camera writes twenty.
const maxPieces = 4096

// errWalk ends a walk where the file does not look as its format does: it says nothing
// then, and what is wrong is the decoder's to say.
var errWalk = errors.New("not as its format is")

// readFacts walks over the pieces of a file before its pixels. No more than a segment
// of JPEG, 64 KiB, or a small chunk is in memory at a time.
func (e *encoded) readFacts() facts {
	var f facts
	if _, err := e.file.Seek(0, io.SeekStart); err != nil {
		return f
	}
	switch e.format.name {
	case "JPEG":
		_ = f.walkJPEG(bufio.NewReader(e.file))
	case "PNG":
		_ = f.walkPNG(bufio.NewReader(e.file))
	case "WebP":
		_ = f.walkWebP(e.file)
	}
	return f
}

// walkJPEG looks at segments up to the frame header (ITU-T T.81, B.1 and B.2).
func (f *facts) walkJPEG(r *bufio.Reader) error {
	if _, err := r.Discard(2); err != nil {
		return err
	}
	for range maxPieces {
		marker, err := nextMarker(r)
		if err != nil {
			return err
		}
		var size [2]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return err
		}
		n := int(binary.BigEndian.Uint16(size[:])) - 2
		switch {
		case n < 0:
			return errWalk
		case isFrame(marker):
			depth, err := r.ReadByte()
			f.frame, f.depth = marker, int(depth)
			return err
		case marker == 0xe1 && f.orientation == 0:
			segment := make([]byte, n)
			if _, err := io.ReadFull(r, segment); err != nil {
				return err
			}
			if tiff, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok {
				f.orientation = orientationOf(tiff)
			}
		default:
			if _, err := r.Discard(n); err != nil {
				return err
			}
		}
	}
	return errWalk
}

// nextMarker passes over what fills the space between segments.
func nextMarker(r *bufio.Reader) (byte, error) {
	b, err := r.ReadByte()
	for range maxPieces {
		if err != nil || b != 0xff {
			return 0, errWalk
		}
		if b, err = r.ReadByte(); err == nil && b != 0xff {
			return b, nil
		}
	}
	return 0, errWalk
}

// isFrame tells SOF0 to SOF15 from the three markers between them.
func isFrame(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
}

// walkPNG looks at the chunks before the pixels, where those of an animation and of
// EXIF are (PNG Specification, third edition, 5.6).
func (f *facts) walkPNG(r *bufio.Reader) error {
	if _, err := r.Discard(8); err != nil {
		return err
	}
	for range maxPieces {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		n, kind := int64(binary.BigEndian.Uint32(head[:4])), string(head[4:])
		switch {
		case kind == "IDAT", kind == "IEND", n > 1<<31-1:
			return nil
		case kind == "acTL" && n == 8, kind == "eXIf" && n <= 1<<16:
			data := make([]byte, n)
			if _, err := io.ReadFull(r, data); err != nil {
				return err
			}
			if kind == "acTL" {
				f.frames = int(binary.BigEndian.Uint32(data))
			} else {
				f.orientation = orientationOf(data)
			}
			n = 0
		}
		if _, err := r.Discard(int(n) + 4); err != nil { // and the checksum
			return err
		}
	}
	return errWalk
}

// walkWebP looks at the extended header, and where that promises EXIF for its chunk,
// which is behind the pixels (RFC 9649, 2.7).
func (f *facts) walkWebP(r io.ReadSeeker) error {
	const animated, exif = 0x02, 0x08
	var head [21]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	if string(head[12:16]) != "VP8X" {
		return nil
	}
	if head[20]&animated != 0 {
		f.frames = 2 // how many is not said
		return nil
	}
	if head[20]&exif == 0 {
		return nil
	}
	next := int64(12)
	for range maxPieces {
		if _, err := r.Seek(next, io.SeekStart); err != nil {
			return err
		}
		var chunk [8]byte
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return err
		}
		n := int64(binary.LittleEndian.Uint32(chunk[4:]))
		if string(chunk[:4]) == "EXIF" && n <= 1<<16 {
			data := make([]byte, n)
			if _, err := io.ReadFull(r, data); err != nil {
				return err
			}
			f.orientation = orientationOf(bytes.TrimPrefix(data, []byte("Exif\x00\x00")))
			return nil
		}
		next += 8 + n + n%2
	}
	return errWalk
}

// orientationOf takes the orientation out of a TIFF header with its first directory;
// 0 where it says none, or no such thing.
//
// Source: Exif 2.3, 4.5 and 4.6.4.
func orientationOf(tiff []byte) int {
	const tag, short = 0x0112, 3
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(tiff, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return 0
	}
	if len(tiff) < 8 {
		return 0
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 0
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 0
		}
		if order.Uint16(entries) == tag {
			value := int(order.Uint16(entries[8:]))
			if order.Uint16(entries[2:]) != short || order.Uint32(entries[4:]) != 1 || value > 8 {
				return 0
			}
			return value
		}
		entries = entries[12:]
	}
	return 0
}
