// Package caffe reads the weights of a .caffemodel file, a NetParameter of Caffe's
// caffe.proto in either generation of its layers (V1 of 2014, and the later ones), and
// the mean image of a .binaryproto file.
//
// A file is walked over field by field: the numbers stay in it until they are read.
// docs/formats.md lists what is read.
package caffe

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fcnx/fcnx/checkpoints"
)

// File is an open .caffemodel file, every length in which has been checked. Its
// methods are safe for concurrent use.
type File struct {
	path    string
	r       io.ReaderAt
	close   func() error
	tensors []tensor          // sorted by name
	types   map[string]string // of the layers, by name
	mean    *mean             // nil when no layer has one
	last    string            // the name of the last layer
}

// tensor is a blob under the name that it has here.
type tensor struct {
	checkpoints.Info
	pieces []piece
}

// Open opens a .caffemodel file. The blobs of layer L are named "L/0", which is the
// weights of most layers, "L/1", their bias, and so on. Errors name the file.
//
// The format has neither a length nor a checksum: a file that was cut off exactly
// between two layers opens with those that are left. [File.Last] says where it ends.
func Open(path string) (*File, error) {
	r, size, err := checkpoints.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	f, err := newFile(path, r, size)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	f.close = r.Close
	return f, nil
}

func newFile(path string, r io.ReaderAt, size int64) (*File, error) {
	if err := checkStart(r, size); err != nil {
		return nil, fmt.Errorf("%s: not a caffemodel: %w", path, err)
	}
	n := net{wire: wire{r: r, size: size}, types: map[string]string{}}
	if err := n.read(); err != nil {
		return nil, fmt.Errorf("%s: bad caffemodel: %w", path, err)
	}
	slices.SortFunc(n.tensors, func(a, b tensor) int { return strings.Compare(a.Name, b.Name) })
	return &File{path, r, func() error { return nil }, n.tensors, n.types, n.mean, n.last}, nil
}

// Path is the path that the file was opened by.
func (f *File) Path() string { return f.path }

// Infos lists the tensors by name. Shapes are the file's own: in files of V1 layers all
// have four axes, such as [1,1,out,in] of an InnerProduct and [1,1,1,out] of a bias.
func (f *File) Infos() []checkpoints.Info {
	infos := make([]checkpoints.Info, len(f.tensors))
	for i, t := range f.tensors {
		infos[i] = t.Info
	}
	return infos
}

// Reader reads the bytes of one tensor: little-endian, row-major.
func (f *File) Reader(name string) (io.Reader, error) {
	i, found := slices.BinarySearchFunc(f.tensors, name, func(t tensor, name string) int { return strings.Compare(t.Name, name) })
	if !found {
		return nil, fmt.Errorf("%s: no tensor %.80q", f.path, name)
	}
	return &data{r: f.r, pieces: f.tensors[i].pieces, what: fmt.Sprintf("%s: tensor %.80q", f.path, name)}, nil
}

// Layer is the type of a layer, such as "Convolution", "InnerProduct",
// "Deconvolution", "Scale" or "BatchNorm", as later files spell it. ok is false when
// the file has no such layer.
func (f *File) Layer(name string) (kind string, ok bool) {
	kind, ok = f.types[name]
	return kind, ok
}

// Last is the name and type of the file's last layer, in the order in which Caffe runs
// them.
func (f *File) Last() (name, kind string) { return f.last, f.types[f.last] }

// Mean is what the file's data layer says of preprocessing, which is (x - mean) *
// scale of pixels from 0 to 255: a value for each channel in the order of the file,
// which is BGR where OpenCV read the images, or one for all, or none when only a scale
// is given. It is read from transform_param, or from the 'mean' in the param_str of a
// Python layer, as those of the paper's authors have it. ok is false when no layer
// says anything. The slice is the caller's.
func (f *File) Mean() (values []float64, scale float64, ok bool) {
	if f.mean == nil {
		return nil, 1, false
	}
	return slices.Clone(f.mean.values), f.mean.scale, true
}

// Close closes the file; its tensors cannot be read after that.
func (f *File) Close() error { return f.close() }
