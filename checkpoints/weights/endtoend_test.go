package weights

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights/pth"
	"github.com/stretchr/testify/require"
)

// Files that PyTorch, numpy and Caffe's own messages wrote, from their bytes to the
// variables of a network. Beside each is a safetensors file of the same numbers, under
// the names of the file or the paper's.
var written = []struct {
	path, twin string
	family     string
	kind       Kind
	pixels     string // a name, or why
	left       string // tensors that are left out
}{
	{"pth/testdata/vgg11-zip.pth", "pth/testdata/vgg11.safetensors", "torchvision", Kind{Encoder: "vgg11", Width: 1, Head: 2}, "torchvision", "classifier.6.bias classifier.6.weight"},
	{"testdata/vgg11-zip.pth", "testdata/vgg11.safetensors", "torchvision", Kind{Encoder: "vgg11", Width: 1, Head: 2}, "torchvision", "classifier.6.bias classifier.6.weight"},
	{"pth/testdata/vgg11-legacy.pth", "pth/testdata/vgg11.safetensors", "torchvision", Kind{Encoder: "vgg11", Width: 1, Head: 2}, "torchvision", "classifier.6.bias classifier.6.weight"},
	{"pth/testdata/vgg11_bn-zip.pth", "pth/testdata/vgg11_bn.safetensors", "torchvision", Kind{Encoder: "vgg11_bn", Width: 1, Head: 2}, "torchvision", "classifier.6.bias classifier.6.weight"},
	{"pth/testdata/vgg11_bn-legacy.pth", "pth/testdata/vgg11_bn.safetensors", "torchvision", Kind{Encoder: "vgg11_bn", Width: 1, Head: 2}, "torchvision", "classifier.6.bias classifier.6.weight"},
	{"pth/testdata/vgg11.safetensors", "pth/testdata/vgg11.safetensors", "torchvision", Kind{Encoder: "vgg11", Width: 1, Head: 2}, "torchvision", "classifier.6.bias classifier.6.weight"},
	{"testdata/vgg11-nan.pth", "testdata/vgg11.safetensors", "torchvision", Kind{Encoder: "vgg11", Width: 1}, "features",
		"classifier.6.bias classifier.6.weight classifier.0.weight classifier.0.bias classifier.3.weight classifier.3.bias"},
	{"testdata/fcn8s-zip.pth", "testdata/fcn8s.safetensors", "pytorch-fcn", Kind{Encoder: "vgg16", Width: 1, Head: 2, Classes: 2, Arch: "fcn8s", Upsample: "learned"}, "", ""},
	{"testdata/fcn16s-parallel.pth", "testdata/fcn16s.safetensors", "pytorch-fcn", Kind{Encoder: "vgg16", Width: 1, Head: 2, Classes: 2, Arch: "fcn16s", Upsample: "learned"}, "", ""},
	{"testdata/fcn8s-chainer.npz", "testdata/fcn8s.safetensors", "chainer", Kind{Encoder: "vgg16", Width: 1, Head: 2, Classes: 2, Arch: "fcn8s", Upsample: "learned"}, "caffe", ""},
	{"caffe/testdata/fcn8s_v2.caffemodel", "caffe/testdata/fcn8s_v2.safetensors", "caffe", Kind{Encoder: "vgg16", Width: 1, Head: 4, Classes: 3, Arch: "fcn8s", Upsample: "learned"}, "its mean and scale are the file's own, the rest assumed: Caffe's", ""},
	{"caffe/testdata/fcn8s_atonce_v2.caffemodel", "caffe/testdata/fcn8s_atonce_v2.safetensors", "caffe", Kind{Encoder: "vgg16", Width: 1, Head: 4, Classes: 3, Arch: "fcn8s", Upsample: "learned", AtOnce: true}, "its mean and scale are the file's own, the rest assumed: Caffe's", "scale_pool3/0 scale_pool4/0"},
	{"caffe/testdata/vgg16_v1.caffemodel", "caffe/testdata/vgg16_v1.safetensors", "caffe", Kind{Encoder: "vgg16", Width: 1, Head: 4}, "its mean and scale are the file's own, the rest assumed: Caffe's", "fc8/0 fc8/1"},
	{"caffe/testdata/vgg16_unpacked.caffemodel", "caffe/testdata/vgg16_unpacked.safetensors", "caffe", Kind{Encoder: "vgg16", Width: 1, Head: 4}, "its mean and scale are the file's own, the rest assumed: Caffe's", "fc8/0 fc8/1"},
}

func TestWrittenFiles(t *testing.T) {
	for _, c := range written {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			s := recognise(t, c.path)
			require.Equal(t, c.family, s.Family())
			require.Equal(t, c.kind, s.Kind())
			require.Empty(t, s.Doubt())
			if p := s.Pixels(); p.Name != "" {
				require.Equal(t, c.pixels, p.Name)
			} else {
				require.Equal(t, c.pixels, p.Why)
			}
			twin, err := checkpoints.Open(c.twin)
			require.NoError(t, err)
			defer twin.Close()
			numbers := func(name string) []float32 {
				raw, err := twin.Read(name)
				require.NoError(t, err)
				return floats(t, raw)
			}
			var left []string
			taken := map[string][]float32{}
			for _, row := range s.Rows() {
				if row.Variable == "" {
					if !strings.HasSuffix(row.Tensor, "num_batches_tracked") {
						left = append(left, row.Tensor)
					}
					continue
				}
				values, err := s.Read(row.Variable)
				require.NoError(t, err)
				taken[row.Variable] = values
				name := row.Tensor
				if strings.HasPrefix(c.twin, "testdata/fcn") {
					name = strings.ReplaceAll(row.Variable, "/", ".")
				}
				// The slow way knows nothing of families and reshapes: only where a number lies.
				require.Equal(t, numbers(name), slowToFile(checkpoints.Info{Name: row.Variable, Shape: row.As}, values), row.Tensor)
			}
			require.Equal(t, c.left, strings.Join(left, " "))
			require.NoError(t, s.Check())

			// What is written of it is the same network, and fits one without its source.
			path := filepath.Join(t.TempDir(), "w.safetensors")
			_, err = s.Export(path, map[string]string{"fcnx.config": "x"})
			require.NoError(t, err)
			back := map[string][]float32{}
			require.NoError(t, Import(path, s.Infos(), func(name string, values []float32) error {
				back[name] = values
				return nil
			}))
			require.Equal(t, taken, back)
		})
	}
}

// recognise opens a file as the commands do.
func recognise(t testing.TB, path string) *Source {
	tensors, err := OpenTensors(path, pth.InProcess)
	require.NoError(t, err)
	s, err := Recognise(tensors)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// The streaming export writes what turning every kernel there and back would, channels
// turned round included.
func TestSourceExportAgreesWithTheSlowWay(t *testing.T) {
	s := recognise(t, "pth/testdata/vgg11_bn-zip.pth")
	s.Reverse()
	dir := t.TempDir()
	fast, err := s.Export(filepath.Join(dir, "fast"), nil)
	require.NoError(t, err)
	slow, err := Export(filepath.Join(dir, "slow"), s.Infos(), nil, s.Read)
	require.NoError(t, err)
	require.Equal(t, slow, fast)
}

func TestSourceExportConvertsAndRefuses(t *testing.T) {
	f := tinyTorchvision(2, 2)
	f.dtypes = map[string]string{"features.0.bias": "F16"}
	s, err := Recognise(halves{f})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "w")
	_, err = s.Export(path, nil)
	require.NoError(t, err)
	file, err := checkpoints.Open(path)
	require.NoError(t, err)
	raw, err := file.Read("conv1_1.bias")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Equal(t, []float32{1.5, 1.5}, floats(t, raw))

	f.dtypes = nil
	nan := make([]float32, 2*2*9)
	nan[13] = float32(math.Inf(1))
	f.values["features.3.weight"] = append(nan, nan...)
	s, err = Recognise(f)
	require.NoError(t, err)
	for _, err := range []error{s.Check(), exported(s, path+"2")} {
		require.ErrorContains(t, err, "vgg.file: features.3.weight[0,1,1,1] is +Inf as float32: weights must be finite")
	}
	require.NoFileExists(t, path+"2")
}

// A caffemodel has no end of its own: what was cut off between two layers is a shorter
// caffemodel. It is an error, or is told of.
func TestCaffemodelCutBetweenLayers(t *testing.T) {
	for _, path := range []string{"caffe/testdata/fcn8s_v2.caffemodel", "caffe/testdata/fcn8s_atonce_v2.caffemodel", "caffe/testdata/vgg16_v1.caffemodel"} {
		whole := recognise(t, path)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		cut := filepath.Join(t.TempDir(), "cut.caffemodel")
		doubted := 0
		for end := 0; end < len(b); {
			_, n := binary.Uvarint(b[end:])
			length, k := binary.Uvarint(b[end+n:])
			switch b[end] & 7 {
			case 0: // a number
				length = 0
			case 2:
			default:
				t.Fatalf("a field that these files do not have at %d", end)
			}
			end += n + k + int(length)
			if end == len(b) {
				break
			}
			require.NoError(t, os.WriteFile(cut, b[:end], 0o666))
			tensors, err := OpenTensors(cut, nil)
			if err != nil {
				require.ErrorContains(t, err, cut)
				continue
			}
			s, err := Recognise(tensors)
			if err != nil {
				require.ErrorContains(t, err, cut)
				require.NoError(t, tensors.Close())
				continue
			}
			switch k := s.Kind(); {
			case k.Classes > 0:
				// Only what has all its upsampling may pass for a whole net: the rest fits none.
				names := described(s.Infos())
				last := map[string]string{"fcn32s": "upscore/weight", "fcn16s": "upscore16/weight", "fcn8s": "upscore8/weight"}[k.Arch]
				if names[last] != nil {
					require.Equal(t, described(whole.Infos()), names)
				}
			case s.Doubt() != "":
				require.Contains(t, s.Doubt(), cut)
				doubted++
			default: // whatever follows the classifier has no weights
				require.Equal(t, described(whole.Infos()), described(s.Infos()))
			}
			require.NoError(t, s.Close())
		}
		require.Positive(t, doubted, path)
	}
}

func exported(s *Source, path string) error {
	_, err := s.Export(path, nil)
	return err
}
