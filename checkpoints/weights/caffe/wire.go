package caffe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxHead is the most that a field takes before what it holds: its number and kind in
// a varint, and its length or value in another.
const maxHead = 20

// wire walks over protocol buffers in a file through a small window.
type wire struct {
	r      io.ReaderAt
	size   int64
	window [8 << 10]byte
	at     int64 // of the window in the file
	filled int
}

// span is a range of bytes in the file.
type span struct{ start, end int64 }

func (s span) length() int64 { return s.end - s.start }

// field is one field of a message. What it holds is in bits or, for
// [protowire.BytesType], between the ends of span.
type field struct {
	number protowire.Number
	kind   protowire.Type
	bits   uint64
	span
}

// peek returns up to n bytes at pos, fewer only when the span ends before. They are
// there until the next call.
func (w *wire) peek(pos int64, n int, end int64) ([]byte, error) {
	n = int(min(int64(n), end-pos))
	if pos < w.at || pos+int64(n) > w.at+int64(w.filled) {
		k := int(min(int64(len(w.window)), w.size-pos))
		if got, err := w.r.ReadAt(w.window[:k], pos); got < k {
			w.filled = 0
			return nil, noEOF(err)
		}
		w.at, w.filled = pos, k
	}
	return w.window[pos-w.at:][:n], nil
}

// noEOF is for reads of what must be there.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// each calls f for every field of the message in s. It goes no deeper by itself, and
// no message here contains one of its own kind.
func (w *wire) each(s span, f func(field) error) error {
	for pos := s.start; pos < s.end; {
		head, err := w.peek(pos, maxHead, s.end)
		if err != nil {
			return err
		}
		one, n, err := consume(head, pos, s.end)
		if err != nil {
			return err
		}
		pos += int64(n)
		if one.kind == protowire.BytesType {
			pos = one.end
		}
		if err := f(one); err != nil {
			return err
		}
	}
	return nil
}

// consume takes a field from its head, which is at pos of a message that ends at end,
// and returns how long all but the bytes of a [protowire.BytesType] is.
func consume(head []byte, pos, end int64) (field, int, error) {
	number, kind, n := protowire.ConsumeTag(head)
	if n < 0 {
		return field{}, 0, damaged(pos, "does not begin as a field does")
	}
	one := field{number: number, kind: kind}
	k := 0
	switch kind {
	case protowire.VarintType:
		one.bits, k = protowire.ConsumeVarint(head[n:])
	case protowire.Fixed32Type:
		var bits uint32
		bits, k = protowire.ConsumeFixed32(head[n:])
		one.bits = uint64(bits)
	case protowire.Fixed64Type:
		one.bits, k = protowire.ConsumeFixed64(head[n:])
	case protowire.BytesType:
		one.bits, k = protowire.ConsumeVarint(head[n:])
	default:
		return field{}, 0, damaged(pos, fmt.Sprintf("field %d is of kind %d, which Caffe does not write", number, kind))
	}
	if k < 0 {
		return field{}, 0, damaged(pos, fmt.Sprintf("field %d has no value", number))
	}
	one.start = pos + int64(n+k)
	one.end = one.start
	if kind == protowire.BytesType {
		if one.bits > uint64(end-one.start) { // #nosec G115 -- a field starts before the end
			return field{}, 0, damaged(pos, fmt.Sprintf("field %d has %d bytes, and %d are left", number, one.bits, end-one.start))
		}
		one.end += int64(one.bits) // #nosec G115 -- no more than what is left of the file
	}
	return one, n + k, nil
}

func damaged(pos int64, what string) error {
	return fmt.Errorf("at byte %d: %s: is the file cut off or of another kind?", pos, what)
}

// is refuses a field that holds another kind of thing than the proto says.
func (f field) is(kind protowire.Type) error {
	if f.kind != kind {
		return damaged(f.start, fmt.Sprintf("field %d is of kind %d, and %d is wanted", f.number, f.kind, kind))
	}
	return nil
}

// text reads a string of at most limit bytes.
func (w *wire) text(f field, limit int) (string, error) {
	if err := f.is(protowire.BytesType); err != nil {
		return "", err
	}
	if f.length() > int64(limit) {
		return "", damaged(f.start, fmt.Sprintf("a text of %d bytes, and at most %d are allowed", f.length(), limit))
	}
	b, err := w.peek(f.start, limit, f.end)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", damaged(f.start, "a text that is not UTF-8")
	}
	return string(b), nil
}

// checkStart recognises the files that people give instead of protocol buffers, which
// have no mark of their own.
func checkStart(r io.ReaderAt, size int64) error {
	if size == 0 {
		return errors.New("it is empty")
	}
	start := make([]byte, min(size, 256))
	if n, err := r.ReadAt(start, 0); n < len(start) {
		return noEOF(err)
	}
	for _, f := range []struct{ prefix, what string }{
		{"PK\x03\x04", "it is a zip file, such as torch.save and numpy.savez write: name it .pth or .npz"},
		{"\x80\x02", "it is a Python pickle, such as old versions of torch.save wrote: name it .pth"},
		{"\x89HDF", "it is an HDF5 file (.caffemodel.h5): let Caffe write it with snapshot_format: BINARYPROTO"},
		{"version ", "it is a Git LFS pointer: fetch the file itself by `git lfs pull`"},
		{"<", "it is a web page: the download went wrong"},
	} {
		if bytes.HasPrefix(start, []byte(f.prefix)) {
			return errors.New(f.what)
		}
	}
	// A network's layers begin with bytes that no text has.
	if !bytes.ContainsFunc(start, func(c rune) bool { return c == utf8.RuneError || c < ' ' && c != '\n' && c != '\r' && c != '\t' }) {
		return errors.New("it is a text, such as a .prototxt, which has no weights")
	}
	return nil
}
