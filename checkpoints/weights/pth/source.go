package pth

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// maxPickle bounds the pickles of a file, in bytes. A tensor takes some 250, so that
	// this is more than the state dict of any network.
	maxPickle = 64 << 20
	// maxString bounds the strings that are kept, in bytes. Longer ones are read over.
	maxString = 64 << 10
)

// source reads the bytes of pickles one after the other, and knows where it is.
type source struct {
	r   *bufio.Reader
	at  int64 // in the file
	end int64 // in the file
}

// newSource reads the size bytes of the file from at on, or the first of them where
// they are more than a pickle may have.
func newSource(r io.ReaderAt, at, size int64) *source {
	size = min(size, maxPickle)
	return &source{bufio.NewReaderSize(io.NewSectionReader(r, at, size), 16<<10), at, at + size}
}

// errCut is the end of the file, or of what a pickle may have, in the middle of one.
var errCut = errors.New("the pickle has no end: is the file cut off?")

func (s *source) byte() (byte, error) {
	b, err := s.r.ReadByte()
	if err != nil {
		return 0, cut(err)
	}
	s.at++
	return b, nil
}

// fixed reads len(b) bytes, of which there are few.
func (s *source) fixed(b []byte) error {
	n, err := io.ReadFull(s.r, b)
	s.at += int64(n)
	return cut(err)
}

// unsigned reads a little-endian number of width bytes, at most 8.
func (s *source) unsigned(width int) (uint64, error) {
	var b [8]byte
	if err := s.fixed(b[:width]); err != nil {
		return 0, err
	}
	n := uint64(0)
	for i := width - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n, nil
}

// skip reads over n bytes, once it is known that they are there.
func (s *source) skip(n uint64) error {
	if n > uint64(s.end-s.at) { // #nosec G115 -- what is left is never negative
		return fmt.Errorf("%d bytes should follow, and there are %d: is the file cut off?", n, s.end-s.at)
	}
	skipped, err := io.CopyN(io.Discard, s.r, int64(n)) // #nosec G115 -- no more than what is left
	s.at += skipped
	return cut(err)
}

// string reads n bytes and keeps them if they are few enough.
func (s *source) string(n uint64) (value, error) {
	if n > maxString {
		return opaque{}, s.skip(n)
	}
	if n > uint64(s.end-s.at) { // #nosec G115 -- what is left is never negative
		return nil, s.skip(n)
	}
	b := make([]byte, n)
	if err := s.fixed(b); err != nil {
		return nil, err
	}
	return string(b), nil
}

// line reads up to the next newline, which it leaves out.
func (s *source) line() (string, error) {
	b, err := s.r.ReadSlice('\n')
	s.at += int64(len(b))
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", errors.New("a name has no end")
	}
	if err != nil {
		return "", cut(err)
	}
	return string(bytes.TrimSuffix(b, []byte("\n"))), nil
}

// qualifiedName reads a module and a name in it, each on a line.
func (s *source) qualifiedName() (module, name string, err error) {
	if module, err = s.line(); err == nil {
		name, err = s.line()
	}
	return module, name, err
}

// readAt fills b with what is at a place of the file.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	if n, err := r.ReadAt(b, at); n < len(b) {
		return cut(err)
	}
	return nil
}

func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}
