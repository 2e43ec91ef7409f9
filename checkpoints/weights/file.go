package weights

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fcnx/fcnx/checkpoints"
)

// File is an open file of weights that fits a network.
type File struct {
	file    *checkpoints.File
	layouts []layout
	dtypes  map[string]string // of the file's tensors, by the file's names
	vars    []checkpoints.Info
}

// Open opens the weights of a network whose variables, with fcnx's names and
// layout, are want. It is a [*MismatchError] when the file and want are not the same
// tensors; [Import] says more.
func Open(path string, want []checkpoints.Info) (*File, error) {
	layouts, err := layoutsOf(want)
	if err != nil {
		return nil, err
	}
	file, err := checkpoints.Open(path)
	if err != nil {
		return nil, err
	}
	dtypes, err := match(file, layouts)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &File{file, layouts, dtypes, want}, nil
}

// Infos lists the variables as they were wanted.
func (f *File) Infos() []checkpoints.Info { return f.vars }

// Read returns the values of one variable in fcnx's layout. They are the caller's.
func (f *File) Read(name string) ([]float32, error) {
	i := slices.IndexFunc(f.layouts, func(l layout) bool { return l.name == name })
	if i < 0 {
		return nil, fmt.Errorf("%s: no variable %.80q", f.file.Path(), name)
	}
	l := f.layouts[i]
	r, err := f.file.Reader(l.file.Name)
	if err != nil {
		return nil, err
	}
	values, err := l.read(r, f.dtypes[l.file.Name])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.file.Path(), err)
	}
	return values, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }
