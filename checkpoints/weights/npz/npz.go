// Package npz reads the arrays of an npz file: the zip of .npy members that
// numpy.savez and numpy.savez_compressed write, and Chainer's serializers.save_npz
// through them.
//
// Nothing in a file is executed: arrays of Python objects are refused. docs/formats.md
// lists what is read.
package npz

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fcnx/fcnx/checkpoints"
)

// File is an open npz file whose headers have been checked against each other and
// against its size. The checksum of an array is looked at when the array is read.
// Its methods are safe for concurrent use.
type File struct {
	path   string
	close  func() error
	arrays []array // sorted by name
}

// array is a member of the zip and what its header says.
type array struct {
	checkpoints.Info
	header  header
	member  *zip.File
	skipped int64 // bytes of the member before the array's first
}

// Open opens an npz file. An array's name is the member's without ".npy". Errors name
// the file.
func Open(path string) (*File, error) {
	f, size, err := checkpoints.OpenRegular(path)
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

func newFile(path string, r io.ReaderAt, size int64) (*File, error) {
	members, err := membersOf(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: not an npz file: %w", path, err)
	}
	f := &File{path: path, close: func() error { return nil }, arrays: make([]array, len(members))}
	for i, m := range members {
		if f.arrays[i], err = newArray(m); err != nil {
			return nil, fmt.Errorf("%s: array %.80q: %w", path, name(m), err)
		}
	}
	slices.SortFunc(f.arrays, func(a, b array) int { return strings.Compare(a.Name, b.Name) })
	return f, nil
}

// newArray reads a member's header, and holds its shape to the member's size.
func newArray(m *zip.File) (array, error) {
	r, err := m.Open()
	if err != nil {
		return array{}, err
	}
	h, skipped, err := readHeader(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return array{}, err
	}
	info := checkpoints.Info{Name: name(m), DType: h.dtype, Shape: h.shape}
	size, err := info.Size()
	if err != nil {
		return array{}, err
	}
	if has := int64(m.UncompressedSize64) - skipped; size != has { // #nosec G115 -- what is too large becomes negative, and no size is
		return array{}, fmt.Errorf("its shape %.80s of %s wants %d bytes, and it has %d", fmt.Sprint(h.shape), h.dtype, size, has)
	}
	return array{info, h, m, skipped}, nil
}

// Path is the path that the file was opened by.
func (f *File) Path() string { return f.path }

// Infos lists the arrays by name.
func (f *File) Infos() []checkpoints.Info {
	infos := make([]checkpoints.Info, len(f.arrays))
	for i, a := range f.arrays {
		infos[i] = a.Info
	}
	return infos
}

// Reader reads the bytes of one array: little-endian, row-major, whatever the file has.
// Its last bytes come only when the checksum is right. An array in column-major order
// is checked and held in memory as a whole, and any other is streamed.
func (f *File) Reader(name string) (io.Reader, error) {
	i, found := slices.BinarySearchFunc(f.arrays, name, func(a array, name string) int { return strings.Compare(a.Name, name) })
	if !found {
		return nil, fmt.Errorf("%s: no array %.80q", f.path, name)
	}
	r, err := f.arrays[i].reader()
	if err != nil {
		return nil, fmt.Errorf("%s: array %.80q: %w", f.path, name, err)
	}
	return &named{r, fmt.Sprintf("%s: array %.80q", f.path, name)}, nil
}

// named puts the file and the array before the errors of a reader.
type named struct {
	r    io.Reader
	what string
}

func (n *named) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: %w", n.what, err)
	}
	return k, err
}

// Close closes the file; its arrays cannot be read after that.
func (f *File) Close() error { return f.close() }
