package caffe

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights/readertest"
)

func open(b []byte) (*File, error) {
	return newFile("x.caffemodel", bytes.NewReader(b), int64(len(b)))
}

// Caffe's own messages wrote these files: bench/parity/caffe_files.py.
func TestReadsWhatCaffesProtoWrites(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.caffemodel"))
	require.NoError(t, err)
	require.Len(t, files, 8)
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			expected, err := checkpoints.Open(strings.TrimSuffix(path, ".caffemodel") + ".safetensors")
			require.NoError(t, err)
			defer expected.Close()
			f, err := Open(path)
			require.NoError(t, err)
			defer f.Close()
			require.Equal(t, path, f.Path())
			require.Equal(t, expected.Infos(), f.Infos())
			for _, info := range f.Infos() {
				want, err := expected.Read(info.Name)
				require.NoError(t, err)
				r, err := f.Reader(info.Name)
				require.NoError(t, err)
				got, err := io.ReadAll(r)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got), info.Name)
				r, err = f.Reader(info.Name)
				require.NoError(t, err)
				require.NoError(t, iotest.TestReader(r, want), info.Name)
			}

			var want struct {
				Types map[string]string
				Mean  *struct {
					Values []float64
					Scale  float64
				}
			}
			require.NoError(t, json.Unmarshal([]byte(expected.Metadata()["expected"]), &want))
			require.Equal(t, want.Types, f.types)
			for name, want := range want.Types {
				kind, ok := f.Layer(name)
				require.True(t, ok)
				require.Equal(t, want, kind)
			}
			_, ok := f.Layer("conv9_9")
			require.False(t, ok)

			values, scale, ok := f.Mean()
			require.Equal(t, want.Mean != nil, ok)
			if ok {
				require.Equal(t, want.Mean.Values, values)
				require.Equal(t, want.Mean.Scale, scale)
			}
		})
	}
}

// What an importer asks of the files of the field.
func TestShapesOfTheField(t *testing.T) {
	for _, c := range []struct {
		file, tensor string
		kind         string
		shape        []int
	}{
		{"vgg16_v1", "conv1_1/0", "Convolution", []int{1, 3, 3, 3}},
		{"vgg16_v1", "conv1_1/1", "Convolution", []int{1, 1, 1, 1}},
		{"vgg16_v1", "fc6/0", "InnerProduct", []int{1, 1, 4, 392}},
		{"vgg16_v1", "fc6/1", "InnerProduct", []int{1, 1, 1, 4}},
		{"fcn8s_v2", "fc6/0", "Convolution", []int{4, 8, 7, 7}},
		{"fcn8s_v2", "upscore8/0", "Deconvolution", []int{3, 3, 16, 16}},
		{"fcn8s_atonce_v2", "scale_pool3/0", "Scale", []int{4}},
		{"tiny", "bn1_1/2", "BatchNorm", []int{1}},
		{"tiny", "scalar/0", "Scale", []int{}},
	} {
		f, err := Open(filepath.Join("testdata", c.file+".caffemodel"))
		require.NoError(t, err)
		defer f.Close()
		found := false
		for _, info := range f.Infos() {
			if info.Name == c.tensor {
				found = true
				require.Equal(t, c.shape, info.Shape, c.tensor)
			}
		}
		require.True(t, found, c.tensor)
		name, _, _ := strings.Cut(c.tensor, "/")
		kind, ok := f.Layer(name)
		require.True(t, ok)
		require.Equal(t, c.kind, kind)
	}
}

func TestUnknownTensor(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "tiny.caffemodel"))
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Reader("conv1_1/2")
	require.EqualError(t, err, `testdata/tiny.caffemodel: no tensor "conv1_1/2"`)
}

func TestReadMean(t *testing.T) {
	var means map[string][3]float64
	require.NoError(t, json.Unmarshal(readertest.Testdata(t, "means.json"), &means))
	require.Len(t, means, 2)
	for name, want := range means {
		got, err := ReadMean(filepath.Join("testdata", name+".binaryproto"))
		require.NoError(t, err)
		require.InDeltaSlice(t, want[:], got[:], 1e-9)
	}
}

func TestMeanInParam(t *testing.T) {
	for _, c := range []struct {
		text string
		want []float64
	}{
		{"{'voc_dir': '../data/pascal', 'mean': (104.00699, 116.66877, 122.67892), 'seed': 1337}", []float64{104.00699, 116.66877, 122.67892}},
		{`{"mean": [1, 2.5, -3,], "seed": 1}`, []float64{1, 2.5, -3}},
		{"{'mean' : ( 7.844 )}", []float64{7.844}},
		{"", nil},
		{"{'split': 'train'}", nil},
		{"{'means': (1, 2, 3)}", nil},
		{"{'mean': np.array((1, 2, 3))}", nil},
		{"{'mean': ()}", nil},
		{"{'mean': (1, nan, 3)}", nil},
		{"{'mean': (1, 1e999, 3)}", nil},
		{"{'mean': (1, (2), 3)}", nil},
		{"{'mean': (1, 2", nil},
		{"{'mean': (" + strings.Repeat("1,", maxMeans+1) + ")}", nil},
	} {
		require.Equal(t, c.want, meanInParam(c.text), c.text)
	}
}

// Caffe spells both generations alike but for one type.
func TestV1Types(t *testing.T) {
	var numbers map[string]uint64
	require.NoError(t, json.Unmarshal(readertest.Testdata(t, "v1_types.json"), &numbers))
	require.Len(t, v1Types, len(numbers))
	for old, number := range numbers {
		want := strings.ToLower(strings.ReplaceAll(old, "_", ""))
		switch old {
		case "NONE":
			want = ""
		case "SOFTMAX_LOSS":
			want = "softmaxwithloss"
		}
		require.Equal(t, want, strings.ToLower(v1Type(number)), old)
	}
	require.Equal(t, "V1 type 40", v1Type(40))
}
