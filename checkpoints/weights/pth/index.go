package pth

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fcnx/fcnx/checkpoints"
)

// Index says where in the file which tensor lies. It is small whatever the size of
// the tensors, and survives JSON, because another process may have made it.
type Index struct {
	Kind     Kind      `json:"kind"`
	Entry    string    `json:"entry"` // of the checkpoint that was taken; empty where the file is a state dict
	Storages []Storage `json:"storages"`
	Tensors  []Tensor  `json:"tensors"` // sorted by name
}

// Kind is how torch.save puts a file together.
type Kind string

// The two kinds: zip since torch 1.6, and a row of pickles with the numbers after
// them before that.
const (
	Zip    Kind = "zip"
	Legacy Kind = "legacy"
)

// Storage is a run of bytes in the file that one tensor or more look at.
type Storage struct {
	Offset int64   `json:"offset"` // bytes from the file's first
	Size   int64   `json:"size"`   // bytes
	CRC32  *uint32 `json:"crc32,omitempty"`
}

// Tensor is a view of a storage.
type Tensor struct {
	Name    string  `json:"name"`
	DType   string  `json:"dtype"` // as safetensors spells it
	Shape   []int64 `json:"shape"`
	Strides []int64 `json:"strides"` // elements, one a dimension
	Storage int     `json:"storage"` // which of the index's
	First   int64   `json:"first"`   // where in the storage the first element is, in bytes
}

// What a state dict may have at most. Each is far beyond any network, and keeps the
// index and the work on it small.
const (
	maxTensors = 100_000
	maxRank    = 64
	maxName    = 1024 // bytes
)

// check holds every claim of an index against a file of the given size. Nothing of
// an index is used before.
func (ix *Index) check(size int64) error {
	if len(ix.Tensors) > maxTensors || len(ix.Storages) > maxTensors {
		return fmt.Errorf("it has %d tensors, and at most %d are allowed", max(len(ix.Tensors), len(ix.Storages)), maxTensors)
	}
	if !isName(ix.Entry) {
		return fmt.Errorf("%.80q cannot be the name of a state dict", ix.Entry)
	}
	for _, s := range ix.Storages {
		if s.Offset < 0 || s.Size < 0 || s.Offset > size || s.Size > size-s.Offset {
			return fmt.Errorf("a storage of %d bytes at %d does not lie in the file, which has %d: is it cut off?", s.Size, s.Offset, size)
		}
	}
	if !slices.IsSortedFunc(ix.Tensors, byName) {
		return errors.New("the index is not sorted")
	}
	for i, t := range ix.Tensors {
		if i > 0 && t.Name == ix.Tensors[i-1].Name {
			return fmt.Errorf("two tensors are named %.80q", t.Name)
		}
		if !isName(t.Name) {
			return fmt.Errorf("%.80q cannot be the name of a tensor", t.Name)
		}
		if t.Storage < 0 || t.Storage >= len(ix.Storages) {
			return fmt.Errorf("tensor %.80q has no storage", t.Name)
		}
		if err := t.check(ix.Storages[t.Storage].Size, size); err != nil {
			return fmt.Errorf("tensor %.80q %w", t.Name, err)
		}
	}
	return nil
}

// isName tells whether a name survives JSON, and a terminal that it is printed on.
func isName(s string) bool {
	return len(s) <= maxName && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func byName(a, b Tensor) int { return strings.Compare(a.Name, b.Name) }

// check holds a tensor against its storage and the file, in bytes. The error goes on
// after the tensor's name.
func (t *Tensor) check(storage, file int64) error {
	width, known := widths[t.DType]
	if !known {
		return fmt.Errorf("is of dtype %.20q, which is not known", t.DType)
	}
	if len(t.Shape) != len(t.Strides) || len(t.Shape) > maxRank {
		return fmt.Errorf("has %d dimensions and %d strides", len(t.Shape), len(t.Strides))
	}
	if t.First < 0 {
		return fmt.Errorf("begins at byte %d of its storage", t.First)
	}
	for i, d := range t.Shape {
		if d < 0 || t.Strides[i] < 0 {
			return fmt.Errorf("has a negative size or stride: %.80s, %.80s", fmt.Sprint(t.Shape), fmt.Sprint(t.Strides))
		}
	}
	// Nobody may be made to allocate more for a tensor than the file has: a stride of
	// zero would let one number stand for any.
	elements, fits := t.elements()
	if !fits || elements > file/width {
		return fmt.Errorf("of shape %.80s is larger than the file, which has %d bytes", fmt.Sprint(t.Shape), file)
	}
	if elements == 0 {
		return nil
	}
	last, fits := t.last()
	if !fits || t.First > storage || last >= (storage-t.First)/width {
		return fmt.Errorf("of shape %.80s and strides %.80s reaches beyond its storage, which has %d bytes", fmt.Sprint(t.Shape), fmt.Sprint(t.Strides), storage)
	}
	return nil
}

// elements is the number of elements, unless that overflows.
func (t *Tensor) elements() (n int64, fits bool) {
	if slices.Contains(t.Shape, 0) {
		return 0, true
	}
	n = 1
	for _, d := range t.Shape {
		if n, fits = multiply(n, d); !fits {
			return 0, false
		}
	}
	return n, true
}

// last is how many elements behind the first the last one is, of a tensor that has
// any.
func (t *Tensor) last() (n int64, fits bool) {
	for i, d := range t.Shape {
		step, fits := multiply(d-1, t.Strides[i])
		if !fits || step > math.MaxInt64-n {
			return 0, false
		}
		n += step
	}
	return n, true
}

// multiply multiplies what is not negative.
func multiply(a, b int64) (product int64, fits bool) {
	high, low := bits.Mul64(uint64(a), uint64(b))        // #nosec G115 -- neither is negative
	return int64(low), high == 0 && low <= math.MaxInt64 // #nosec G115 -- the second result says whether it is right
}

// size is the tensor's length in bytes, row-major without gaps.
func (t *Tensor) size() int64 {
	n, _ := t.elements()
	return n * widths[t.DType]
}

// isContiguous tells whether the elements lie one after the other.
func (t *Tensor) isContiguous() bool {
	next := int64(1)
	for i := len(t.Shape) - 1; i >= 0; i-- {
		if t.Shape[i] != 1 && t.Strides[i] != next {
			return false
		}
		next *= t.Shape[i]
	}
	return true
}

func (t *Tensor) info() checkpoints.Info {
	shape := make([]int, len(t.Shape))
	for i, d := range t.Shape {
		shape[i] = int(d)
	}
	return checkpoints.Info{Name: t.Name, DType: t.DType, Shape: shape}
}
