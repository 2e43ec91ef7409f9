package checkpoints

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Info describes one tensor of a safetensors file.
type Info struct {
	Name  string
	DType string // as the format spells it: "F32", "I64", "BOOL", ...
	Shape []int  // row-major; empty for a scalar
}

// dtypeSizes has the format's dtypes in bytes an element. Those that are smaller
// than a byte are left out: nothing here can use them.
var dtypeSizes = map[string]int64{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
	"U16": 2, "I16": 2, "F16": 2, "BF16": 2,
	"U32": 4, "I32": 4, "F32": 4,
	"U64": 8, "I64": 8, "F64": 8, "C64": 8,
}

// Size is the length of the tensor in bytes. An unknown dtype, a negative
// dimension and a size beyond 2^63 are errors.
func (i Info) Size() (int64, error) {
	size, known := dtypeSizes[i.DType]
	if !known {
		return 0, fmt.Errorf("tensor %.80q: dtype %.20q is not known", i.Name, i.DType)
	}
	for _, d := range i.Shape {
		if d < 0 {
			return 0, fmt.Errorf("tensor %.80q: dimension %d is negative", i.Name, d)
		}
		if d > 0 && size > math.MaxInt64/int64(d) {
			return 0, fmt.Errorf("tensor %.80q: the size of shape %.80s overflows", i.Name, fmt.Sprint(i.Shape))
		}
		size *= int64(d)
	}
	return size, nil
}

// File is an open safetensors file whose header has been checked against its
// size. Its methods are safe for concurrent use.
type File struct {
	path     string
	r        io.ReaderAt
	close    func() error
	entries  []entry // sorted by name
	metadata map[string]string
	data     int64 // where the tensors begin in the file
}

// entry is a tensor and its place, in bytes from the first tensor's first byte.
type entry struct {
	Info
	start, end int64
}

// Open opens a safetensors file. Every claim of the header is checked before
// anything is allocated for a tensor: known dtypes, sizes that agree with the
// shapes, no name twice, no gap, no overlap, and the end of the last tensor at the
// end of the file. Errors name the file.
func Open(path string) (*File, error) {
	f, size, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	file, err := newFile(path, f, size)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	file.close = f.Close
	return file, nil
}

// OpenRegular opens a file that has a size, which it returns, and nothing else: opening
// a named pipe would wait for its writer. What becomes one meanwhile is not waited for.
func OpenRegular(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a file", path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err = f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// ReadText reads a file of a run that people can read, such as config.toml: one that has
// a size, of at most [MaxText] bytes. A run directory may come from anywhere.
func ReadText(path string) ([]byte, error) {
	f, size, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > MaxText {
		return nil, fmt.Errorf("%s has %d bytes; %d are the most", path, size, MaxText)
	}
	return io.ReadAll(io.LimitReader(f, MaxText))
}

// MaxText is far more than the text files of a run have.
const MaxText = 16 << 20

func newFile(path string, r io.ReaderAt, size int64) (*File, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: not a safetensors file: %w", path, err)
	}
	data := headerLengthSize + int64(len(header))
	entries, metadata, err := parseHeader(header, size-data)
	if err != nil {
		return nil, fmt.Errorf("%s: bad safetensors header: %w", path, err)
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.Name, b.Name) })
	return &File{path: path, r: r, close: func() error { return nil }, entries: entries, metadata: metadata, data: data}, nil
}

// Path is the path that the file was opened by.
func (f *File) Path() string { return f.path }

// Metadata is the header's __metadata__; it may be empty.
func (f *File) Metadata() map[string]string { return f.metadata }

// Infos lists the tensors by name.
func (f *File) Infos() []Info {
	infos := make([]Info, len(f.entries))
	for i, e := range f.entries {
		infos[i] = e.Info
	}
	return infos
}

// Reader reads the bytes of one tensor: little-endian, row-major.
func (f *File) Reader(name string) (*io.SectionReader, error) {
	i, found := slices.BinarySearchFunc(f.entries, name, func(e entry, name string) int { return strings.Compare(e.Name, name) })
	if !found {
		return nil, fmt.Errorf("%s: no tensor %.80q", f.path, name)
	}
	e := f.entries[i]
	return io.NewSectionReader(f.r, f.data+e.start, e.end-e.start), nil
}

// Read returns the bytes of one tensor.
func (f *File) Read(name string) ([]byte, error) {
	r, err := f.Reader(name)
	if err != nil {
		return nil, err
	}
	dst := make([]byte, r.Size())
	return dst, f.ReadInto(name, dst)
}

// ReadInto reads one tensor into dst, which must have exactly its size.
func (f *File) ReadInto(name string, dst []byte) error {
	r, err := f.Reader(name)
	if err != nil {
		return err
	}
	if int64(len(dst)) != r.Size() {
		return fmt.Errorf("%s: tensor %.80q has %d bytes, and %d are wanted", f.path, name, r.Size(), len(dst))
	}
	if _, err := io.ReadFull(r, dst); err != nil {
		return fmt.Errorf("%s: tensor %.80q: %w", f.path, name, err)
	}
	return nil
}

// Close closes the file; its tensors cannot be read after that.
func (f *File) Close() error { return f.close() }
