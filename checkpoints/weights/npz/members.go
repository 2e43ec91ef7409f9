package npz

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

const (
	// maxMembers is far above any network: VGG-16 has 32 arrays.
	maxMembers = 1 << 14
	// maxDirectory bounds what is read of a zip before its members are known. An
	// entry of 46 bytes becomes some hundred in memory.
	maxDirectory = 4 << 20
	// maxRatio is the most that a byte of a deflated stream can stand for: a match
	// of 258 bytes takes at least two bits.
	maxRatio = 1032
)

// name is the array's, which numpy puts ".npy" behind.
func name(m *zip.File) string { return strings.TrimSuffix(m.Name, ".npy") }

// membersOf lists the members of a zip, each of which is a .npy file by its name, has
// bytes of its own, and claims no more than they can hold.
func membersOf(r io.ReaderAt, size int64) ([]*zip.File, error) {
	if err := checkStart(r, size); err != nil {
		return nil, err
	}
	limited := &limitedReaderAt{r: r}
	limited.left.Store(maxDirectory)
	z, err := zip.NewReader(limited, size)
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("the directory at the zip's end is missing or damaged: is the file cut off?")
	}
	if errors.Is(err, zip.ErrInsecurePath) {
		return nil, errors.New("a member's name leads out of the archive, as none does that numpy writes")
	}
	if err != nil {
		return nil, err
	}
	limited.left.Store(math.MaxInt64)
	if len(z.File) > maxMembers {
		return nil, fmt.Errorf("it has %d members, and at most %d are allowed", len(z.File), maxMembers)
	}
	seen := make(map[string]bool, len(z.File))
	for _, m := range z.File {
		if err := checkMember(m, size); err != nil {
			return nil, fmt.Errorf("member %.80q: %w", m.Name, err)
		}
		if seen[m.Name] {
			return nil, fmt.Errorf("two members are named %.80q", m.Name)
		}
		seen[m.Name] = true
	}
	return z.File, checkPlaces(z.File, size)
}

// checkStart recognises the files that people give instead of an npz file.
func checkStart(r io.ReaderAt, size int64) error {
	start := make([]byte, min(size, 8))
	if n, err := r.ReadAt(start, 0); n < len(start) {
		return err
	}
	for _, f := range []struct{ prefix, what string }{
		{"\x93NUMPY", "it is a single array (.npy): put the arrays into one file by numpy.savez"},
		{"\x80", "it is a Python pickle"},
		{"version ", "it is a Git LFS pointer: fetch the file itself by `git lfs pull`"},
		{"\x89HDF", "it is an HDF5 file, such as Chainer's save_hdf5 writes: use save_npz"},
		{"<", "it is a web page: the download went wrong"},
	} {
		if bytes.HasPrefix(start, []byte(f.prefix)) {
			return errors.New(f.what)
		}
	}
	if size == 0 {
		return errors.New("it is empty")
	}
	if !bytes.HasPrefix(start, []byte("PK")) {
		return errors.New("it does not begin as a zip does")
	}
	return nil
}

func checkMember(m *zip.File, size int64) error {
	switch {
	case m.NonUTF8 || !utf8.ValidString(m.Name):
		// numpy writes names in ASCII, and all others marked as UTF-8.
		return errors.New("its name is not UTF-8")
	case strings.HasSuffix(m.Name, "data.pkl"):
		return errors.New("it is a pickle of PyTorch: name the file .pth")
	case !strings.HasSuffix(m.Name, ".npy"):
		return errors.New("it is not a .npy file")
	case m.Flags&1 != 0:
		return errors.New("it is encrypted")
	case m.CompressedSize64 > uint64(size): // #nosec G115 -- the size of a file
		return fmt.Errorf("it would have %d bytes, and the file has %d: is it cut off?", m.CompressedSize64, size)
	case m.Method == zip.Store && m.UncompressedSize64 != m.CompressedSize64:
		return fmt.Errorf("it is stored in %d bytes and claims %d", m.CompressedSize64, m.UncompressedSize64)
	case m.Method == zip.Deflate && m.UncompressedSize64/maxRatio > m.CompressedSize64:
		return fmt.Errorf("it claims %d bytes, more than %d bytes can unpack to", m.UncompressedSize64, m.CompressedSize64)
	case m.Method != zip.Store && m.Method != zip.Deflate:
		return fmt.Errorf("it is compressed by method %d, which numpy does not write", m.Method)
	}
	return nil
}

// checkPlaces refuses members that share bytes, by which a small zip could claim to
// be any number of large arrays.
func checkPlaces(members []*zip.File, size int64) error {
	type place struct {
		start, end int64
		name       string
	}
	places := make([]place, len(members))
	for i, m := range members {
		start, err := m.DataOffset()
		if err != nil {
			return fmt.Errorf("member %.80q: no such member where the zip's directory says: is the file damaged?", m.Name)
		}
		if start > size-int64(m.CompressedSize64) { // #nosec G115 -- checkMember has held it to size
			return fmt.Errorf("member %.80q ends beyond the end of the file: is it cut off?", m.Name)
		}
		places[i] = place{start, start + int64(m.CompressedSize64), m.Name} // #nosec G115 -- as above
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
	})
	for i := 1; i < len(places); i++ {
		if places[i].start < places[i-1].end {
			return fmt.Errorf("members %.80q and %.80q share bytes", places[i-1].name, places[i].name)
		}
	}
	return nil
}

// limitedReaderAt fails once more than left bytes were asked for.
type limitedReaderAt struct {
	r    io.ReaderAt
	left atomic.Int64
}

func (l *limitedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if l.left.Add(-int64(len(p))) < 0 {
		return 0, fmt.Errorf("the directory at the zip's end has more than %d bytes", maxDirectory)
	}
	return l.r.ReadAt(p, off)
}
