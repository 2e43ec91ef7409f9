// Package pth reads what torch.save writes of a state dict, without Python and
// without executing anything of the file.
package pth

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/fcnx/fcnx/checkpoints"
)

// File is an open file of torch.save whose index has been checked against it. Its
// methods are safe for concurrent use.
type File struct {
	path  string
	r     io.ReaderAt
	close func() error
	index Index
	sums  []func() error // of the storages, each computed once
}

// Open opens a file of torch.save, of the zip or of the older kind. The index is
// believed nothing: an [Indexer] may ask another process, which may have been fooled.
// Errors name the file.
func Open(path string, index Indexer) (*File, error) {
	f, size, err := checkpoints.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	ix, err := index(f)
	if err == nil {
		err = ix.check(size)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return newFile(path, f, f.Close, ix), nil
}

// newFile wants a checked index.
func newFile(path string, r io.ReaderAt, close func() error, ix Index) *File {
	file := &File{path: path, r: r, close: close, index: ix}
	for _, s := range ix.Storages {
		file.sums = append(file.sums, sync.OnceValue(func() error { return s.verify(r) }))
	}
	return file
}

// Path is the path that the file was opened by.
func (f *File) Path() string { return f.path }

// Entry is the entry of a checkpoint that was taken for its state dict, such as
// "model_state_dict". It is empty where the file is nothing but a state dict.
func (f *File) Entry() string { return f.index.Entry }

// Kind is how the file is put together.
func (f *File) Kind() Kind { return f.index.Kind }

// Infos lists the tensors by name.
func (f *File) Infos() []checkpoints.Info {
	infos := make([]checkpoints.Info, len(f.index.Tensors))
	for i, t := range f.index.Tensors {
		infos[i] = t.info()
	}
	return infos
}

// Reader reads the bytes of one tensor: little-endian, row-major, whatever its
// strides are in the file. A storage that does not have its checksum is an error: of
// the last read, or of Reader itself for a tensor that is not all of its storage.
func (f *File) Reader(name string) (io.Reader, error) {
	i, found := slices.BinarySearchFunc(f.index.Tensors, name, func(t Tensor, name string) int { return strings.Compare(t.Name, name) })
	if !found {
		return nil, fmt.Errorf("%s: no tensor %.80q", f.path, name)
	}
	t := &f.index.Tensors[i]
	s := f.index.Storages[t.Storage]
	r := &tensorReader{path: f.path, name: name, left: t.size()}
	whole := t.isContiguous() && t.size() == s.Size
	switch {
	case r.left == 0:
		r.r = strings.NewReader("")
	case whole && s.CRC32 != nil:
		r.r = newSummed(io.NewSectionReader(f.r, s.Offset, s.Size), s)
	case t.isContiguous():
		r.r = io.NewSectionReader(f.r, s.Offset+t.First, t.size())
	default:
		r.r = newGather(f.r, s.Offset+t.First, t)
	}
	if !whole && r.left > 0 {
		if err := f.sums[t.Storage](); err != nil {
			return nil, fmt.Errorf("%s: tensor %.80q: %w", f.path, name, err)
		}
	}
	return r, nil
}

// Close closes the file; its tensors cannot be read after that.
func (f *File) Close() error { return f.close() }

// tensorReader gives its errors the names of the file and the tensor, and knows when
// the file has become shorter since it was opened.
type tensorReader struct {
	path, name string
	r          io.Reader
	left       int64 // bytes
}

func (t *tensorReader) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	t.left -= int64(n)
	if errors.Is(err, io.EOF) {
		if t.left == 0 {
			return n, io.EOF
		}
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, fmt.Errorf("%s: tensor %.80q: %w", t.path, t.name, err)
	}
	return n, nil
}
