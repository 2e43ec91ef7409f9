// Package pth reads what torch.save writes of a state dict, without Python and
// without executing anything of the file.
package pth

import (
	"errors"
	"io"
	"os"

	"github.com/fcnx/fcnx/checkpoints"
)

// Index says where in the file which tensor lies.
type Index struct{}

// Indexer reads the index of an open file.
type Indexer func(f *os.File) (Index, error)

// ReadIndex is an [Indexer] in this process.
func ReadIndex(r io.ReaderAt, size int64) (Index, error) { return Index{}, errors.New("not built") }

// File is an open file of torch.save.
type File struct{}

// Open opens a file of torch.save, of the zip or of the older kind.
func Open(path string, index Indexer) (*File, error) { return nil, errors.New("not built") }

// Path is the path that the file was opened by.
func (f *File) Path() string { return "" }

// Infos lists the tensors by name.
func (f *File) Infos() []checkpoints.Info { return nil }

// Reader reads the bytes of one tensor: little-endian, row-major.
func (f *File) Reader(name string) (io.Reader, error) { return nil, errors.New("not built") }

// Close closes the file.
func (f *File) Close() error { return nil }
