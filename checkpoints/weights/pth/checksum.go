package pth

import (
	"errors"
	"hash"
	"hash/crc32"
	"io"
)

// errDamaged is told with the names of the file and the tensor.
var errDamaged = errors.New("the file is damaged: the checksum of its numbers is wrong")

// verify holds a storage to its checksum, if it has one.
func (s Storage) verify(r io.ReaderAt) error {
	if s.CRC32 == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, newSummed(io.NewSectionReader(r, s.Offset, s.Size), s))
	return err
}

// summed reads a storage, and ends with an error where the checksum is wrong.
type summed struct {
	r    io.Reader
	sum  hash.Hash32
	left int64
	want uint32
}

func newSummed(r io.Reader, s Storage) *summed {
	return &summed{r, crc32.NewIEEE(), s.Size, *s.CRC32}
}

func (s *summed) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	s.sum.Write(b[:n]) // it never fails
	s.left -= int64(n)
	// Whoever knows the tensor's size does not read on to its end.
	if s.left == 0 && n > 0 && s.sum.Sum32() != s.want {
		return 0, errDamaged
	}
	return n, err
}
