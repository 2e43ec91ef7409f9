package weights

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fcnx/fcnx/checkpoints"
)

// Kind is what names and shapes tell of a network, in the words of [model].
type Kind struct {
	Encoder string // vgg16_bn
	Width   int    // of conv1_1
	Head    int    // 0: there are no fc6 and fc7
	Classes int    // 0: there are no score layers
	// Arch and Upsample are empty where there are no score layers.
	Arch, Upsample string
	// AtOnce tells that the file has the constants of the authors' at-once net. Only
	// Caffe's files can: elsewhere it is false either way.
	AtOnce bool
}

// Pixels is how weights see an image, and how that is known.
type Pixels struct {
	Preprocess
	Name string // as of [NamedPreprocess]; empty where the file said it in numbers, or nothing is known
	Why  string // "assumed of ..."; empty: nothing is known, and Preprocess is zero
}

// Kind is what the network is.
func (s *Source) Kind() Kind { return s.kind }

// Family names the kind of file: torchvision, pytorch-fcn, chainer or caffe.
func (s *Source) Family() string { return s.family.name }

// Pixels is how the weights see an image. Where Why is empty nobody knows.
func (s *Source) Pixels() Pixels { return s.pixels }

// SetPixels says how the weights see an image, by a name of [NamedPreprocess], instead of
// what was assumed.
func (s *Source) SetPixels(name string) error {
	p, err := NamedPreprocess(name)
	if err != nil {
		return err
	}
	s.pixels = Pixels{p, name, "as was said"}
	if s.swapped {
		s.pixels.Preprocess = p.Reversed()
	}
	return nil
}

// Geometry is "paper" where the file is an FCN of the authors or a copy of one, and
// empty where nothing tells: an encoder has none.
func (s *Source) Geometry() string {
	if s.kind.Classes > 0 && s.original() {
		return "paper"
	}
	return ""
}

// original tells files of the authors' nets from those of others. PyTorch's names are
// fcnx's own too, and there only the authors' own shapes speak for them.
func (s *Source) original() bool {
	k := s.kind
	switch s.family.name {
	case "chainer", "caffe":
		return true
	case "pytorch-fcn":
		return k.Encoder == "vgg16" && k.Width == 64 && k.Head == 4096 && k.Upsample == "learned"
	}
	return false
}

// describe reads the kind, and is an error where there is no such network.
func (s *Source) describe() error {
	shapes := map[string][]int{}
	layers := map[string]int{} // of the encoder, with the number of parameters
	for _, t := range s.takes {
		shapes[t.pytorch.Name] = t.pytorch.Shape
		if layer, _, _ := strings.Cut(t.variable.Name, "/"); strings.HasPrefix(layer, "conv") || strings.HasPrefix(layer, "bn") {
			layers[layer]++
		}
	}
	s.kind.Encoder = encoderOf(func(layer string) bool { return layers[layer] > 0 }, len(layers))
	if s.kind.Encoder == "" {
		return fmt.Errorf("its layers %s are not those of vgg11, 13, 16 or 19", strings.Join(sortedNames(layers), ", "))
	}
	for layer, n := range layers {
		want := 2
		if strings.HasPrefix(layer, "bn") {
			want = 4
		}
		if n != want {
			return fmt.Errorf("%s has %d of its %d parameters", layer, n, want)
		}
	}
	s.kind.Width = shapes["conv1_1.weight"][0]
	for _, layer := range []string{"fc6", "fc7"} {
		weight, bias := shapes[layer+".weight"], shapes[layer+".bias"]
		if (weight == nil) != (bias == nil) || (weight == nil) != (shapes["fc6.weight"] == nil) {
			return errors.New("it has only a part of fc6 and fc7")
		}
		if weight != nil {
			s.kind.Head = weight[0]
		}
	}
	if shapes["score_fr.weight"] == nil {
		for name := range shapes {
			if strings.HasPrefix(name, "score") || strings.HasPrefix(name, "upscore") {
				return fmt.Errorf("it has %s and no score_fr", name)
			}
		}
		return nil
	}
	if s.kind.Head == 0 {
		return errors.New("it has score_fr, and neither fc6 nor fc7")
	}
	s.kind.Classes = shapes["score_fr.weight"][0]
	s.kind.Arch, s.kind.Upsample = arch(shapes), upsample(shapes)
	// A net may upsample without weights, but Caffe's nets have them, and a caffemodel does
	// not tell where it ends.
	if s.kind.Upsample == "bilinear" && s.family.name == "caffe" {
		return errors.New("it has score_fr and no upsampling: was the file cut off between two layers?")
	}
	return nil
}

// ended is a file of layers in the order in which they run, and whose format does not
// tell whether some are missing at its end.
type ended interface {
	Last() (name, kind string)
}

// Doubt says why the file may be a piece of a longer one. It is empty where nothing
// speaks for that.
func (s *Source) Doubt() string {
	e, ok := s.tensors.(ended)
	if !ok || s.kind.Classes > 0 {
		return ""
	}
	name, kind := e.Last()
	switch kind { // what a part of a net ends with; a whole one has a loss or the like
	case "Convolution", "InnerProduct", "ReLU", "Pooling", "Dropout", "Split", "BatchNorm", "Scale":
	default:
		return ""
	}
	for _, row := range s.out { // its classifier is there
		if layer, _, _ := strings.Cut(row.Tensor, "/"); layer == name {
			return ""
		}
	}
	return fmt.Sprintf("%s ends with the layer %s, and a caffemodel does not tell whether more should follow: if it is not meant to be a part of a network, it was cut off", s.Path(), name)
}

// classifiers leaves out what stood on fc7 for the classes of another set, and refuses
// everything else that no layer owns.
func (s *Source) classifiers(names []string, infos map[string]checkpoints.Info, prefix string) error {
	stem := func(name string) string { return name[:max(strings.LastIndexAny(name, "./"), 0)] }
	classes := map[string]int{}
	for _, name := range names {
		shape := infos[prefix+name].Shape
		for len(shape) > 2 && shape[0] == 1 {
			shape = shape[1:]
		}
		for len(shape) > 2 && shape[len(shape)-1] == 1 {
			shape = shape[:len(shape)-1]
		}
		if len(shape) == 2 && s.kind.Head > 0 && shape[1] == s.kind.Head && stem(name) != "" {
			classes[stem(name)] = shape[0]
		}
	}
	var strangers []string
	for _, name := range names {
		if n := classes[stem(name)]; n > 0 {
			s.leaveOut(infos[prefix+name], fmt.Sprintf("a classifier of %d classes", n))
			continue
		}
		strangers = append(strangers, strconv.Quote(name))
	}
	if len(strangers) == 0 {
		return nil
	}
	more := ""
	if n := len(strangers) - namesShown; n > 0 {
		strangers, more = strangers[:namesShown], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("no layer of an FCN on %s owns %s%s", s.kind.Encoder, strings.Join(strangers, ", "), more)
}

// scaled checks the constants of an at-once net.
func (s *Source) scaled(names []string, infos map[string]checkpoints.Info, prefix string) error {
	for _, name := range names {
		layer, _, _ := strings.Cut(name, "/")
		info := infos[prefix+name]
		decode, ok := decoders[info.DType]
		size, err := info.Size()
		if err != nil || !ok || size == 0 || size > 1<<20 {
			return fmt.Errorf("%s is %s of %s: one number a channel should be there", info.Name, shape(info.Shape), info.DType)
		}
		values, err := s.first(info.Name, info.DType, int(size)/decode.size)
		if err != nil {
			return err
		}
		for _, v := range values {
			if want := scales[layer]; math.Abs(float64(v)-want) > 1e-6*want {
				return fmt.Errorf("%s multiplies by %g: fcnx's at-once net by %g, and no other is known", info.Name, v, want)
			}
		}
		s.leaveOut(info, fmt.Sprintf("the constant %g, which is model.at_once = true", scales[layer]))
		s.kind.AtOnce = true
	}
	pools := map[string][]string{"fcn16s": {"scale_pool4"}, "fcn8s": {"scale_pool3", "scale_pool4"}}[s.kind.Arch]
	var layers []string
	for _, name := range names {
		layer, _, _ := strings.Cut(name, "/")
		layers = append(layers, layer)
	}
	if s.kind.AtOnce && !slices.Equal(layers, pools) {
		return fmt.Errorf("it multiplies in %s, and an at-once %s in %s", strings.Join(layers, ", "), s.kind.Arch, strings.Join(pools, ", "))
	}
	return nil
}

// assume settles how the weights see an image where the file does not say so.
func (s *Source) assume() {
	if s.pixels.Why != "" {
		return
	}
	name := s.family.preprocess
	if name == "" && s.original() {
		name = "caffe"
	}
	if p, err := NamedPreprocess(name); err == nil {
		s.pixels = Pixels{p, name, "assumed: " + s.family.name + "'s names do not tell"}
	}
	m, ok := s.tensors.(meanValued)
	if !ok || s.pixels.Why == "" {
		return
	}
	// Caffe's transformer subtracts first, and then multiplies.
	if mean, scale, said := m.Mean(); said {
		if len(mean) > 1 && len(mean) != 3 {
			s.pixels = Pixels{} // not of images of three channels; nobody knows
			return
		}
		p := &s.pixels.Preprocess
		if scale != 0 {
			p.Scale = scale
		}
		for i := range p.Mean {
			if len(mean) > 0 {
				p.Mean[i] = mean[min(i, len(mean)-1)]
			}
			p.Mean[i] *= p.Scale
		}
		s.pixels.Name, s.pixels.Why = "", "its mean and scale are the file's own, the rest assumed: Caffe's"
	}
}

// meanValued is a file that says what was subtracted from each channel of an image in
// bytes (one value for each, or one for all, or none: only the scale is said) and by
// what the difference was multiplied.
type meanValued interface {
	Mean() (mean []float64, scale float64, ok bool)
}
