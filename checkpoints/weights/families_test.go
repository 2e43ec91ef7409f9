package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/memtest"
	"github.com/stretchr/testify/require"
)

// fake is a file of tensors in memory. A tensor without values is zero everywhere.
type fake struct {
	shapes map[string][]int
	dtypes map[string]string // F32 where it is not said
	values map[string][]float32
	mean   []float64 // as a caffemodel may say it
	scale  float64
}

func (f *fake) Path() string { return "vgg.file" }
func (f *fake) Close() error { return nil }

func (f *fake) Infos() []checkpoints.Info {
	var infos []checkpoints.Info
	for _, name := range sortedNames(f.shapes) {
		dtype := f.dtypes[name]
		if dtype == "" {
			dtype = "F32"
		}
		infos = append(infos, checkpoints.Info{Name: name, DType: dtype, Shape: f.shapes[name]})
	}
	return infos
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func (f *fake) Reader(name string) (io.Reader, error) {
	if f.shapes[name] == nil {
		return nil, errors.New("no such tensor")
	}
	values, ok := f.values[name]
	if !ok {
		return zeroReader{}, nil
	}
	var b bytes.Buffer
	return &b, binary.Write(&b, binary.LittleEndian, values)
}

// caffeFake also says its mean.
type caffeFake struct{ *fake }

func (f caffeFake) Mean() ([]float64, float64, bool) { return f.mean, f.scale, f.scale != 0 }

// torchvision are the names and shapes of its nets, as it builds them itself; see
// bench/parity/torchvision_keys.py.
func torchvision(t testing.TB) map[string]map[string][]int {
	text, err := os.ReadFile("testdata/torchvision.json")
	require.NoError(t, err)
	var nets map[string]map[string][]int
	require.NoError(t, json.Unmarshal(text, &nets))
	require.Len(t, nets, 8)
	return nets
}

// described is what a variable has to be: its name and shape.
func described(infos []checkpoints.Info) map[string][]int {
	m := map[string][]int{}
	for _, info := range infos {
		m[info.Name] = info.Shape
	}
	return m
}

// encoderVars are the variables of an encoder and head of full size.
func encoderVars(name string, head bool) map[string][]int {
	stages := map[string][]int{"vgg11": {1, 1, 2, 2, 2}, "vgg13": {2, 2, 2, 2, 2}, "vgg16": {2, 2, 3, 3, 3}, "vgg19": {2, 2, 4, 4, 4}}[strings.TrimSuffix(name, "_bn")]
	vars, in := map[string][]int{}, 3
	for stage, n := range stages {
		out := []int{64, 128, 256, 512, 512}[stage]
		for i := range n {
			id := fmt.Sprintf("%d_%d", stage+1, i+1)
			vars["conv"+id+"/weight"], vars["conv"+id+"/bias"] = []int{3, 3, in, out}, []int{out}
			if strings.HasSuffix(name, "_bn") {
				for _, p := range []string{"weight", "bias", "running_mean", "running_var"} {
					vars["bn"+id+"/"+p] = []int{out}
				}
			}
			in = out
		}
	}
	if head {
		vars["fc6/weight"], vars["fc6/bias"] = []int{7, 7, 512, 4096}, []int{4096}
		vars["fc7/weight"], vars["fc7/bias"] = []int{1, 1, 4096, 4096}, []int{4096}
	}
	return vars
}

func TestTorchvisionsNets(t *testing.T) {
	for name, shapes := range torchvision(t) {
		for _, prefix := range []string{"", "module.", "module.encoder.", "backbone."} {
			f := &fake{shapes: map[string][]int{}, dtypes: map[string]string{}}
			for key, shape := range shapes {
				f.shapes[prefix+key] = shape
				if strings.HasSuffix(key, "num_batches_tracked") {
					f.dtypes[prefix+key] = "I64"
				}
			}
			s, err := Recognise(f)
			require.NoError(t, err, name)
			require.Equal(t, "torchvision", s.Family())
			require.Equal(t, Kind{Encoder: name, Width: 64, Head: 4096}, s.Kind())
			require.Equal(t, encoderVars(name, true), described(s.Infos()))
			require.Equal(t, "torchvision", s.Pixels().Name)
			require.Equal(t, "assumed: torchvision's names do not tell", s.Pixels().Why)
			require.Empty(t, s.Geometry(), "an encoder has none")

			// Every tensor is in the report once, and its numbers are in one variable.
			var names []string
			for _, row := range s.Rows() {
				names = append(names, row.Tensor)
				if row.Variable != "" {
					require.Equal(t, product(row.Shape), product(row.As), row.Tensor)
				} else {
					require.NotEmpty(t, row.Note)
				}
			}
			slices.Sort(names)
			require.Equal(t, sortedNames(f.shapes), names)

			// Without a classifier, as segmentation_models.pytorch keeps them.
			maps.DeleteFunc(f.shapes, func(key string, _ []int) bool { return strings.Contains(key, "classifier.") })
			s, err = Recognise(f)
			require.NoError(t, err)
			require.Equal(t, Kind{Encoder: name, Width: 64}, s.Kind())
			require.Equal(t, encoderVars(name, false), described(s.Infos()))
		}
	}
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// torchvision's vgg16_features has all names, and NaN where the classifier would be.
func TestFeaturesWithoutClassifier(t *testing.T) {
	nan := slices.Repeat([]float32{float32(math.NaN())}, 4096)
	f := &fake{shapes: torchvision(t)["vgg16"], values: map[string][]float32{"classifier.0.weight": nan, "classifier.0.bias": nan}}
	s, err := Recognise(f)
	require.NoError(t, err)
	require.Equal(t, Kind{Encoder: "vgg16", Width: 64}, s.Kind())
	require.Equal(t, "features", s.Pixels().Name)
	require.Equal(t, [3]float64{0.48235, 0.45882, 0.40784}, s.Pixels().Mean)
	require.Contains(t, s.Rows(), Row{Tensor: "classifier.0.weight", Shape: []int{4096, 25088}, Note: "left out: NaN, the file has features only"})
	require.NoError(t, s.SetPixels("torchvision"))
	require.Equal(t, "as was said", s.Pixels().Why)
}

// A fully connected layer of PyTorch and the convolution that is made of it agree on
// every pixel: the features are in C,H,W order.
func TestHeadSeesFeaturesInOrder(t *testing.T) {
	text, err := os.ReadFile("testdata/fc6.json")
	require.NoError(t, err)
	var golden struct {
		Features [][][]float64
		Weight   [][]float32
		Bias     []float32
		Answer   []float64
	}
	require.NoError(t, json.Unmarshal(text, &golden))
	head, channels := len(golden.Weight), len(golden.Features)
	f := tinyTorchvision(head, channels)
	f.values["classifier.0.weight"], f.values["classifier.0.bias"] = slices.Concat(golden.Weight...), golden.Bias
	s, err := Recognise(f)
	require.NoError(t, err)
	weight, err := s.Read("fc6/weight")
	require.NoError(t, err)
	bias, err := s.Read("fc6/bias")
	require.NoError(t, err)
	for o := range head {
		sum := float64(bias[o])
		for y := range 7 {
			for x := range 7 {
				for c := range channels {
					sum += golden.Features[c][y][x] * float64(weight[((y*7+x)*channels+c)*head+o])
				}
			}
		}
		require.Equal(t, golden.Answer[o], sum, "both are sums of eighths, exact in any order")
	}
}

// tinyTorchvision is a VGG-11 with the given channels all over.
func tinyTorchvision(head, channels int) *fake {
	f := &fake{shapes: map[string][]int{}, values: map[string][]float32{}}
	in := 3
	for _, n := range []int{0, 3, 6, 8, 11, 13, 16, 18} {
		f.shapes[fmt.Sprintf("features.%d.weight", n)] = []int{channels, in, 3, 3}
		f.shapes[fmt.Sprintf("features.%d.bias", n)] = []int{channels}
		in = channels
	}
	f.shapes["classifier.0.weight"], f.shapes["classifier.0.bias"] = []int{head, channels * 49}, []int{head}
	f.shapes["classifier.3.weight"], f.shapes["classifier.3.bias"] = []int{head, head}, []int{head}
	return f
}

// fcn are the tensors of an FCN under other names, made of the paper's.
func fcn(vars []checkpoints.Info, name func(layer, param string) string) *fake {
	f := &fake{shapes: map[string][]int{}, values: map[string][]float32{}}
	for _, v := range vars {
		l, err := layoutOf(v)
		if err != nil {
			panic(err)
		}
		layer, param, _ := strings.Cut(l.file.Name, ".")
		f.shapes[name(layer, param)] = l.file.Shape
	}
	return f
}

func torchName(layer, param string) string { return layer + "." + param }

func chainerName(layer, param string) string {
	return layer + "/" + map[string]string{"weight": "W", "bias": "b"}[param]
}

func caffeName(layer, param string) string {
	return layer + "/" + map[string]string{"weight": "0", "bias": "1"}[param]
}

func TestWholeNets(t *testing.T) {
	vars := net(64, 4096, 21, false, false)
	for _, c := range []struct {
		family string
		name   func(layer, param string) string
	}{{"pytorch-fcn", torchName}, {"chainer", chainerName}, {"caffe", caffeName}} {
		s, err := Recognise(fcn(vars, c.name))
		require.NoError(t, err)
		require.Equal(t, c.family, s.Family())
		require.Equal(t, Kind{Encoder: "vgg16", Width: 64, Head: 4096, Classes: 21, Arch: "fcn8s", Upsample: "learned"}, s.Kind())
		require.Equal(t, described(vars), described(s.Infos()))
		require.NoError(t, s.Fits(vars))
		require.Equal(t, "paper", s.Geometry())
		require.Equal(t, "caffe", s.Pixels().Name)
		require.Equal(t, "bgr", s.Pixels().Order)
		require.ErrorContains(t, s.Fits(net(64, 4096, 11, false, false)), "the file looks like model.classes = 21, not 11")
	}

	// Names that are fcnx's own speak for the authors only where the shapes do.
	s, err := Recognise(fcn(net(8, 16, 21, false, false), torchName))
	require.NoError(t, err)
	require.Empty(t, s.Geometry())
	require.Empty(t, s.Pixels().Why)
	require.NoError(t, s.SetPixels("caffe"))
	require.Equal(t, 1.0, s.Pixels().Scale)
}

// A caffemodel of V1 layers has four axes everywhere, fully connected layers where the
// net was not made convolutional, a classifier, and perhaps the scales of the at-once net.
func TestCaffesShapes(t *testing.T) {
	f := fcn(net(4, 16, 5, false, false), caffeName)
	for name, shape := range f.shapes {
		if len(shape) == 1 {
			f.shapes[name] = []int{1, 1, 1, shape[0]}
		}
	}
	f.shapes["fc6/0"], f.shapes["fc7/0"] = []int{1, 1, 16, 32 * 49}, []int{1, 1, 16, 16}
	f.shapes["fc8/0"], f.shapes["fc8/1"] = []int{1, 1, 1000, 16}, []int{1, 1, 1, 1000}
	s, err := Recognise(f)
	require.NoError(t, err)
	require.Equal(t, described(net(4, 16, 5, false, false)), described(s.Infos()))
	require.False(t, s.Kind().AtOnce)
	require.Contains(t, s.Rows(), Row{Tensor: "fc8/0", Shape: []int{1, 1, 1000, 16}, Note: "left out: a classifier of 1000 classes"})
	require.Contains(t, s.Rows(), Row{Tensor: "fc8/1", Shape: []int{1, 1, 1, 1000}, Note: "left out: a classifier of 1000 classes"})

	f.shapes["scale_pool3/0"], f.values["scale_pool3/0"] = []int{16}, slices.Repeat([]float32{0.0001}, 16)
	_, err = Recognise(f)
	require.ErrorContains(t, err, "it multiplies in scale_pool3, and an at-once fcn8s in scale_pool3, scale_pool4")
	f.shapes["scale_pool4/0"], f.values["scale_pool4/0"] = []int{1}, []float32{0.01}
	s, err = Recognise(f)
	require.NoError(t, err)
	require.True(t, s.Kind().AtOnce)
	f.values["scale_pool4/0"] = []float32{0.02}
	_, err = Recognise(f)
	require.ErrorContains(t, err, "scale_pool4/0 multiplies by 0.02: fcnx's at-once net by 0.01")
	delete(f.shapes, "scale_pool3/0")
	delete(f.shapes, "scale_pool4/0")

	f.mean, f.scale = []float64{1, 2, 3}, 0.5
	s, err = Recognise(caffeFake{f})
	require.NoError(t, err)
	require.Equal(t, Pixels{Preprocess{"bgr", 0.5, [3]float64{0.5, 1, 1.5}, [3]float64{1, 1, 1}}, "", "its mean and scale are the file's own, the rest assumed: Caffe's"}, s.Pixels())
	f.mean, f.scale = []float64{7}, 1
	s, err = Recognise(caffeFake{f})
	require.NoError(t, err)
	require.Equal(t, [3]float64{7, 7, 7}, s.Pixels().Mean)
}

// Turning the channels of kernel and image round changes nothing, to the last bit: the
// numbers that are multiplied and summed are the same, in another place.
func TestReverse(t *testing.T) {
	f := tinyTorchvision(2, 2)
	f.values["features.0.weight"] = counting(2 * 3 * 9)
	s, err := Recognise(f)
	require.NoError(t, err)
	plain, err := s.Read("conv1_1/weight")
	require.NoError(t, err)
	s.Reverse()
	require.Equal(t, Preprocess{"bgr", 1.0 / 255, [3]float64{0.406, 0.456, 0.485}, [3]float64{0.225, 0.224, 0.229}}, s.Pixels().Preprocess)
	turned, err := s.Read("conv1_1/weight")
	require.NoError(t, err)
	for pixel := range 9 {
		for i := range 3 {
			for o := range 2 {
				require.Equal(t, plain[(pixel*3+i)*2+o], turned[(pixel*3+2-i)*2+o])
			}
		}
	}
	require.Contains(t, s.Rows(), Row{"features.0.weight", []int{2, 3, 3, 3}, "conv1_1/weight", []int{3, 3, 3, 2}, "input channels turned round"})
	require.NoError(t, s.SetPixels("caffe"))
	require.Equal(t, "rgb", s.Pixels().Order, "what is said is said of the file, and turned with it")
	s.Reverse()
	again, err := s.Read("conv1_1/weight")
	require.NoError(t, err)
	require.Equal(t, plain, again)
	require.Equal(t, "bgr", s.Pixels().Order)
}

func TestNamedPreprocesses(t *testing.T) {
	caffe, err := NamedPreprocess("caffe")
	require.NoError(t, err)
	rgb, err := NamedPreprocess("caffe-rgb")
	require.NoError(t, err)
	require.Equal(t, rgb, caffe.Reversed())
	require.Equal(t, caffe, rgb.Reversed())
	_, err = NamedPreprocess("imagenet")
	require.EqualError(t, err, `no preprocessing is called "imagenet"; there are torchvision, caffe, caffe-rgb, features`)
}

func TestRecogniseRefuses(t *testing.T) {
	vgg := func() *fake { return tinyTorchvision(8, 2) }
	whole := func() *fake { return fcn(net(4, 16, 5, false, false), torchName) }
	for _, c := range []struct {
		name string
		file func() *fake
		edit func(*fake)
		want string
	}{
		{"ResNet", vgg, func(f *fake) {
			f.shapes = map[string][]int{"backbone.conv1.weight": {64, 3, 7, 7}, "classifier.0.weight": {512, 2048, 3, 3}}
		}, "vgg.file holds no VGG or FCN under names that are known; there are torchvision's VGG (features.0.weight); the paper's layers in PyTorch (conv1_1.weight), as pytorch-fcn and fcnx write them; Chainer's (conv1_1/W); Caffe's (conv1_1/0)\nits 2 tensors are called \"backbone.conv1.weight\", \"classifier.0.weight\""},
		{"nothing", vgg, func(f *fake) { f.shapes = nil }, "its 0 tensors are called"},
		{"checkpoint", vgg, func(f *fake) { f.shapes = map[string][]int{"conv1_1/weight": {3, 3, 3, 2}} }, "is the inside of a checkpoint; name the run's directory instead"},
		{"two kinds", vgg, func(f *fake) { f.shapes["conv1_1.weight"] = []int{2, 3, 3, 3} }, "vgg.file has names of several kinds of file (torchvision's VGG (features.0.weight); the paper's layers in PyTorch"},
		{"another VGG", vgg, func(f *fake) { delete(f.shapes, "features.8.weight") }, "its convolutions are features 0 3 6 11 13 16 18, and none of torchvision's"},
		{"a tensor more", vgg, func(f *fake) { f.shapes["aux.weight"] = []int{3} }, `no layer of an FCN on vgg11 owns "aux.weight"`},
		{"a bias less", vgg, func(f *fake) { delete(f.shapes, "features.8.bias") }, "conv3_2 has 1 of its 2 parameters"},
		{"half a head", vgg, func(f *fake) { delete(f.shapes, "classifier.3.weight") }, "only a part of fc6 and fc7"},
		{"grey images", vgg, func(f *fake) { f.shapes["features.0.weight"] = []int{2, 1, 3, 3} }, "features.0.weight is [2,1,3,3]: images have 3 channels, and it wants 1"},
		{"large kernels", vgg, func(f *fake) { f.shapes["features.3.weight"] = []int{2, 2, 5, 5} }, "features.3.weight is [2,2,5,5]: conv2_1 has kernels of 3x3 in fcnx"},
		{"other pixels", vgg, func(f *fake) { f.shapes["classifier.0.weight"] = []int{8, 72} }, "classifier.0.weight is [8,72]: fc6 sees 7x7 pixels of 2 channels, which are 98 numbers"},
		{"dilated", whole, func(f *fake) { f.shapes["fc6.weight"] = []int{16, 32, 3, 3} }, "fc6.weight is [16,32,3,3]: fc6 has kernels of 7x7 in fcnx"},
		{"nothing in it", vgg, func(f *fake) { f.shapes["features.0.weight"] = []int{0, 3, 3, 3} }, "features.0.weight is [0,3,3,3]: nothing is in it"},
		{"integers", vgg, func(f *fake) { f.dtypes = map[string]string{"features.0.bias": "I32"} }, "features.0.bias is I32; weights are F32, F16, BF16 or F64"},
		{"a bias too many", whole, func(f *fake) { f.shapes["upscore8.bias"] = []int{5} }, "upscore8.bias is [5]: upsampling has no bias in fcnx"},
		{"no score", whole, func(f *fake) { delete(f.shapes, "score_fr.weight") }, "and no score_fr"},
		{"no encoder", whole, func(f *fake) { delete(f.shapes, "conv3_1.weight"); delete(f.shapes, "conv3_1.bias") }, "are not those of vgg11, 13, 16 or 19"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.file()
			c.edit(f)
			_, err := Recognise(f)
			require.ErrorContains(t, err, c.want)
			require.Contains(t, err.Error(), "vgg.file")
		})
	}
}

// Whatever names and shapes a file has: an error, or variables that take every number of
// the tensors that are said to be taken.
func FuzzRecognise(f *testing.F) {
	memtest.Cap(f)
	for _, seed := range []*fake{tinyTorchvision(4, 2), fcn(net(2, 3, 2, true, true), torchName), fcn(net(2, 3, 2, false, false), caffeName)} {
		text, err := json.Marshal(seed.shapes)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file := &fake{}
		if json.Unmarshal(text, &file.shapes) != nil {
			return
		}
		for name, shape := range file.shapes {
			n := 1
			for _, d := range shape {
				if d < 0 || d > 1<<12 || n > 1<<16 {
					return
				}
				n *= d
			}
			if shape == nil {
				file.shapes[name] = []int{}
			}
		}
		var s *Source
		var err error
		memtest.Bound{Any: 1 << 20, PerByte: 2 << 10}.Within(t, len(text), func() { s, err = Recognise(file) })
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.Len(t, s.Rows(), len(file.shapes))
		for _, row := range s.Rows() {
			require.Equal(t, file.shapes[row.Tensor], row.Shape)
			if row.Variable != "" {
				values, err := s.Read(row.Variable)
				require.NoError(t, err)
				require.Len(t, values, product(row.Shape))
			}
		}
	})
}

// halves gives the tensors that are said to be F16 the value 1.5 everywhere.
type halves struct{ *fake }

func (h halves) Reader(name string) (io.Reader, error) {
	if h.dtypes[name] != "F16" {
		return h.fake.Reader(name)
	}
	return strings.NewReader(strings.Repeat("\x00\x3e", product(h.shapes[name]))), nil
}
