package weights

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights/pth"
	"github.com/fcnx/fcnx/memtest"
	"github.com/stretchr/testify/require"
)

func zipped(t testing.TB, names ...string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		_, err := w.Create(name)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.String()
}

func TestSniff(t *testing.T) {
	tar := strings.Repeat("\x00", 257) + "ustar\x0000"
	for _, c := range []struct {
		name, start string
		format      format
		want        string
	}{
		{"safetensors", "\x40\x00\x00\x00\x00\x00\x00\x00{\"a\":", formatSafetensors, ""},
		{"safetensors like a pickle", "\x80\x02\x00\x00\x00\x00\x00\x00{\"a\":", formatSafetensors, ""},
		{"safetensors like ONNX", "\x08\x02\x00\x00\x00\x00\x00\x00{\"a\":", formatSafetensors, ""},
		{"torch.save", zipped(t, "archive/data.pkl", "archive/data/0"), formatPTH, ""},
		{"numpy.savez", zipped(t, "conv1_1/W.npy"), formatNPZ, ""},
		{"old torch.save", "\x80\x02\x8a\x0al\xfc\x9cF\xf9", formatPTH, ""},
		{"caffe", "\x0a\x09VGG_ILSVRC\xa2\x06", formatCaffe, ""},
		{"caffe without a name", "\xa2\x06\x10\x0a\x07conv1_1", formatCaffe, ""},
		{"caffe V1", "\x12\x10\x0a\x07conv1_1", formatCaffe, ""},
		{"empty", "", 0, "it is empty"},
		{"page", "\n<!DOCTYPE html><html>", 0, "it is a web page"},
		{"page", "<HTML>", 0, "it is a web page"},
		{"LFS", "version https://git-lfs.github.com/spec/v1\noid", 0, "it is a Git LFS pointer; 'git lfs pull' fetches"},
		{"JSON", `{"error": "not found"}`, 0, "it is JSON"},
		{"gzip", "\x1f\x8b\x08", 0, "compressed by gzip"},
		{"tar", tar, 0, "it is a tar archive"},
		{"HDF5", "\x89HDF\r\n\x1a\n", 0, "it is HDF5, as Keras writes"},
		{"npy", "\x93NUMPY\x01\x00", 0, "a single array of NumPy"},
		{"ONNX", "\x08\x07\x12\x07pytorch\x1a\x05", 0, "it is ONNX"},
		{"ONNX", "\x08\x08:\xb3\x05\x0a", 0, "it is ONNX"},
		{"mean image", "\x08\x01\x10\x03\x18\x80\x02", 0, "it is a mean image of Caffe"},
		{"bytes", "\x08\x07\xff\xff\xff", 0, "it begins with"},
		{"saved model", "\x08\x01\x12\xb4\x8f\x01\x0a\xf2\x07", 0, "it is a model of TensorFlow"},
		{"graph", "\x0a\x30\x0a\x0binput_image\x12\x0bPlaceholder", 0, "it is a graph of TensorFlow"},
		{"text", "epoch,loss\n1,2\n", 0, `it begins with "epoch,loss`},
		{"caffe with an input", "\x1a\x04data", formatCaffe, ""},
		{"cut zip", zipped(t, "archive/data.pkl")[:20], 0, "a zip archive that is cut off in its first bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "weights.pth") // whatever it is
			require.NoError(t, os.WriteFile(path, []byte(c.start), 0o666))
			got, err := sniff(path)
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, c.format, got)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
			_, err = OpenTensors(path, nil)
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := OpenTensors(filepath.Join(t.TempDir(), "none"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = OpenTensors(t.TempDir(), nil)
	require.ErrorContains(t, err, "is not a file")
}

func TestOpenTensors(t *testing.T) {
	vars := []checkpoints.Info{{Name: "fc6/bias", DType: "F32", Shape: []int{1}}}
	path := export(t, vars, map[string][]float32{"fc6/bias": {1}})
	tensors, err := OpenTensors(path, nil)
	require.NoError(t, err)
	require.Equal(t, path, tensors.Path())
	require.Equal(t, map[string]string{"fcnx.config": "[model]\n"}, Metadata(tensors))
	r, err := tensors.Reader("fc6.bias")
	require.NoError(t, err)
	raw := make([]byte, 4)
	_, err = r.Read(raw)
	require.NoError(t, err)
	require.Equal(t, "\x00\x00\x80\x3f", string(raw))
	require.NoError(t, tensors.Close())

	// A zip that is not what its first member makes it is for the format's reader to refuse.
	path = filepath.Join(t.TempDir(), "w.zip")
	require.NoError(t, os.WriteFile(path, []byte(zipped(t, "photo.jpg")), 0o666))
	_, err = OpenTensors(path, pth.InProcess)
	require.ErrorContains(t, err, "which neither torch.save nor numpy.savez wrote; if there is a file of weights in it, unpack it")

	// The mean is what a mean image is wanted for.
	_, err = OpenTensors("caffe/testdata/mean.binaryproto", nil)
	require.ErrorContains(t, err, "it is a mean image of Caffe (.binaryproto), whose mean goes into [preprocess], here [")

	// Who reads the index of a .pth is the caller's business.
	path = filepath.Join(t.TempDir(), "w")
	require.NoError(t, os.WriteFile(path, []byte("\x80\x02\x8a\x0al\xfc"), 0o666))
	tensors, err = OpenTensors(path, func(*os.File) (pth.Index, error) { return pth.Index{}, errors.New("asked") })
	require.ErrorContains(t, err, "asked")
	require.True(t, tensors == nil, "no nil pointer in an interface")
}

func FuzzOpenTensors(f *testing.F) {
	memtest.Cap(f)
	for _, seed := range []string{"", "PK\x03\x04", "\x80\x02.", "\x0a\x03net", "\x08\x01\x12\x03", "\x02\x00\x00\x00\x00\x00\x00\x00{}", "<html>"} {
		f.Add([]byte(seed))
	}
	for _, w := range written {
		b, err := os.ReadFile(w.path)
		require.NoError(f, err)
		f.Add(b)
	}
	path := filepath.Join(f.TempDir(), "w")
	f.Fuzz(func(t *testing.T, b []byte) {
		require.NoError(t, os.WriteFile(path, b, 0o666))
		var tensors Tensors
		var err error
		memtest.Bound{Any: 8 << 20, PerByte: 1 << 10}.Within(t, len(b), func() { tensors, err = OpenTensors(path, pth.InProcess) })
		if err != nil {
			require.ErrorContains(t, err, path)
			return
		}
		if s, err := Recognise(tensors); err == nil {
			_ = s.Check()
			require.NotPanics(t, func() { _ = s.Doubt() })
		}
		require.NoError(t, tensors.Close())
	})
}
