package weights

import (
	"fmt"
	"io"
	"slices"
	"strings"

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

// take is a variable and the tensor that it comes from.
type take struct {
	variable checkpoints.Info
	layout   layout // with the file's name and shape
	pytorch  checkpoints.Info
	dtype    string
	note     string
}

// Row says what became of a tensor.
type Row struct {
	Tensor   string // in the file
	Shape    []int
	Variable string // in fcnx, "fc6/weight"; empty: the tensor was left out
	As       []int  // the variable's shape
	Note     string // what was done to it, or why it was left out; may be empty
}

// Recognise finds out what network a file's tensors are of. The file is the source's to
// close, unless there is an error.
//
// Nothing is dropped in silence: a tensor is taken, or has a [Row] that says why not, or
// it is an error. Names of no known kind of file, or of several, are an
// [*UnknownNamesError].
func Recognise(t Tensors) (*Source, error) {
	infos := map[string]checkpoints.Info{}
	original := map[string][]int{}
	for _, info := range t.Infos() {
		infos[info.Name] = info
		original[info.Name] = append([]int{}, info.Shape...) // not nil, be it a scalar
	}
	shapes, prefix := unwrap(original)
	f, err := familyOf(t.Path(), shapes)
	if err != nil {
		if unknown, ok := err.(*UnknownNamesError); ok { //nolint:errorlint // just made
			unknown.Names = sortedNames(original)
		}
		return nil, err
	}
	places, err := f.places(shapes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Path(), err)
	}
	s := &Source{tensors: t, family: f}
	var strangers, factors []string
	for _, name := range sortedNames(shapes) {
		info, at := infos[prefix+name], places[name]
		switch {
		case at.out != "":
			s.leaveOut(info, at.out)
		case at.param == scaleParam:
			factors = append(factors, name)
		case at.layer == "":
			strangers = append(strangers, name)
		default:
			if err := s.take(info, at, shapes, places); err != nil {
				return nil, fmt.Errorf("%s: %w", t.Path(), err)
			}
		}
	}
	slices.SortStableFunc(s.takes, func(a, b take) int {
		layer := func(t take) string { layer, _, _ := strings.Cut(t.variable.Name, "/"); return rank(layer) }
		if order := strings.Compare(layer(a), layer(b)); order != 0 {
			return order
		}
		return -strings.Compare(a.variable.Name, b.variable.Name) // weight before bias
	})
	if f.name == "torchvision" {
		if err := s.withoutNaN(); err != nil {
			return nil, fmt.Errorf("%s: %w", t.Path(), err)
		}
	}
	if err := s.describe(); err != nil {
		return nil, fmt.Errorf("%s: %w", t.Path(), err)
	}
	if err := s.classifiers(strangers, infos, prefix); err != nil {
		return nil, fmt.Errorf("%s: %w", t.Path(), err)
	}
	if err := s.scaled(factors, infos, prefix); err != nil {
		return nil, fmt.Errorf("%s: %w", t.Path(), err)
	}
	s.assume()
	return s, nil
}

func (s *Source) leaveOut(info checkpoints.Info, why string) {
	s.out = append(s.out, Row{Tensor: info.Name, Shape: info.Shape, Note: "left out: " + why})
}

// take adds the variable that a tensor becomes.
func (s *Source) take(info checkpoints.Info, at place, shapes map[string][]int, places map[string]place) error {
	if _, ok := decoders[info.DType]; !ok {
		return fmt.Errorf("%s is %s; weights are F32, F16, BF16 or F64", info.Name, info.DType)
	}
	lastConv := func() int {
		channels, last := 0, ""
		for name, p := range places {
			if p.param == "weight" && strings.HasPrefix(p.layer, "conv") && p.layer > last && len(shapes[name]) == 4 {
				channels, last = shapes[name][0], p.layer
			}
		}
		return channels
	}
	as, note, err := asPyTorch(at.layer, at.param, info.Shape, lastConv)
	if err != nil {
		return fmt.Errorf("%s is %s: %w", info.Name, shape(info.Shape), err)
	}
	v, err := variableOf(at.layer, at.param, as)
	if err != nil {
		return fmt.Errorf("%s is %s: %w", info.Name, shape(info.Shape), err)
	}
	l, err := layoutOf(v)
	if err != nil {
		return err
	}
	pytorch := l.file
	l.file = checkpoints.Info{Name: info.Name, DType: "F32", Shape: info.Shape}
	for _, other := range s.takes {
		if other.variable.Name == v.Name {
			return fmt.Errorf("%s and %s both are %s", other.layout.file.Name, info.Name, v.Name)
		}
	}
	s.takes = append(s.takes, take{variable: v, layout: l, pytorch: pytorch, dtype: info.DType, note: note})
	return nil
}

// withoutNaN leaves out fully connected layers that are nothing but NaN, as in
// torchvision's file of features, which must have all tensors to be loaded there.
func (s *Source) withoutNaN() error {
	for _, t := range s.takes {
		if t.variable.Name != "fc6/bias" && t.variable.Name != "fc6/weight" {
			continue
		}
		nan, err := s.allNaN(t)
		if err != nil {
			return err
		}
		if !nan {
			continue
		}
		s.takes = slices.DeleteFunc(s.takes, func(t take) bool {
			head := strings.HasPrefix(t.variable.Name, "fc")
			if head {
				s.leaveOut(t.layout.file, "NaN, the file has features only")
			}
			return head
		})
		p, err := NamedPreprocess("features")
		s.pixels = Pixels{p, "features", "told by its classifier, which is NaN"}
		return err
	}
	return nil
}

// allNaN looks at the first values of a tensor, at most 4096.
func (s *Source) allNaN(t take) (bool, error) {
	values, err := s.first(t.layout.file.Name, t.dtype, min(4096, t.layout.size()))
	return len(values) > 0 && !slices.ContainsFunc(values, func(v float32) bool { return v == v }), err
}

// first reads the first n values of a tensor of which it is known that it has as many.
func (s *Source) first(name, dtype string, n int) ([]float32, error) {
	r, err := s.tensors.Reader(name)
	if err != nil {
		return nil, err
	}
	decode := decoders[dtype]
	raw := make([]byte, decode.size*n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	values := make([]float32, n)
	decode.into(values, raw)
	return values, nil
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
