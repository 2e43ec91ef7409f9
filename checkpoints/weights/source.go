package weights

import (
	"fmt"
	"slices"

	"github.com/fcnx/fcnx/checkpoints"
)

// Source is a file of weights whose tensors have been recognised by their names: those
// of a VGG or of an FCN on one, from wherever it comes. Its variables have fcnx's names
// and layout.
type Source struct {
	tensors Tensors
	family  family
	takes   []take // as an image meets their layers
	out     []Row  // by name
	kind    Kind
	pixels  Pixels
	swapped bool // conv1_1's input channels are turned round
}

// Row says what became of a tensor.
type Row struct {
	Tensor   string // in the file
	Shape    []int
	Variable string // in fcnx, "fc6/weight"; empty: the tensor was left out
	As       []int  // the variable's shape
	Note     string // what was done to it, or why it was left out; may be empty
}

// Path is the path that the file was opened by.
func (s *Source) Path() string { return s.tensors.Path() }

// Entry is the entry of a checkpoint that was taken for its state dict, such as
// "model_state_dict". It is empty where the file has none but this one.
func (s *Source) Entry() string {
	if e, ok := s.tensors.(interface{ Entry() string }); ok {
		return e.Entry()
	}
	return ""
}

// Format is [Format] of the file.
func (s *Source) Format() string { return Format(s.tensors) }

// Infos lists the variables in fcnx's layout, as an image meets them.
func (s *Source) Infos() []checkpoints.Info {
	infos := make([]checkpoints.Info, len(s.takes))
	for i, t := range s.takes {
		infos[i] = t.variable
	}
	return infos
}

// Rows says of every tensor of the file what became of it: first those that were taken,
// as an image meets them, then those that were left out.
func (s *Source) Rows() []Row {
	var rows []Row
	for _, t := range s.takes {
		note := t.note
		if s.swapped && t.variable.Name == firstKernel {
			note = "input channels turned round"
		}
		rows = append(rows, Row{t.layout.file.Name, t.layout.file.Shape, t.variable.Name, t.variable.Shape, note})
	}
	return append(rows, s.out...)
}

// firstKernel is the one that sees the channels of the image.
const firstKernel = "conv1_1/weight"

// Reverse turns the input channels of the first convolution round, and the
// preprocessing with them: RGB becomes BGR or the other way round, and every output
// stays what it was.
func (s *Source) Reverse() {
	s.swapped = !s.swapped
	s.pixels.Preprocess = s.pixels.Reversed()
}

// Read returns the values of one variable in fcnx's layout. They are the caller's.
// Values that are not finite are an error.
func (s *Source) Read(name string) ([]float32, error) {
	i := slices.IndexFunc(s.takes, func(t take) bool { return t.variable.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%s: no variable %.80q", s.Path(), name)
	}
	t := s.takes[i]
	r, err := s.tensors.Reader(t.layout.file.Name)
	if err != nil {
		return nil, err
	}
	values, err := t.layout.read(r, t.dtype)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Path(), err)
	}
	if s.swapped && name == firstKernel {
		reverseInputs(values, t.layout)
	}
	return values, nil
}

// reverseInputs turns the second last axis of [hw,in,out] round.
func reverseInputs(values []float32, l layout) {
	for pixel := range slices.Chunk(values, l.in*l.out) {
		for i := range l.in / 2 {
			a, b := pixel[i*l.out:][:l.out], pixel[(l.in-1-i)*l.out:][:l.out]
			for o := range a {
				a[o], b[o] = b[o], a[o]
			}
		}
	}
}

// Fits is a [*MismatchError] unless the source has exactly the variables that are
// wanted. Its names and shapes are those of PyTorch's layout, on both sides.
func (s *Source) Fits(want []checkpoints.Info) error {
	layouts, err := layoutsOf(want)
	if err != nil {
		return err
	}
	have, network := map[string][]int{}, map[string][]int{}
	for _, t := range s.takes {
		have[t.pytorch.Name] = t.pytorch.Shape
	}
	for _, l := range layouts {
		network[l.file.Name] = l.file.Shape
	}
	if e := compare(s.Path(), have, network); e != nil {
		return e
	}
	return nil
}

// Close closes the file.
func (s *Source) Close() error { return s.tensors.Close() }
