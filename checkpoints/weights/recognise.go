package weights

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fcnx/fcnx/checkpoints"
)

// take is a variable and the tensor that it comes from.
type take struct {
	variable checkpoints.Info
	layout   layout // with the file's name and shape
	pytorch  checkpoints.Info
	dtype    string
	note     string
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
		var unknown *UnknownNamesError
		if errors.As(err, &unknown) {
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
