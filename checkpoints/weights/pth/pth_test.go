package pth

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights/readertest"
)

// fixtures are the files that hold a state dict, with their contents. They are
// written by bench/parity/pth_files.py.
func fixtures(t testing.TB) map[string][]byte {
	paths, err := filepath.Glob("testdata/*.pth")
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, path := range paths {
		if name := filepath.Base(path); !strings.HasPrefix(name, "refused-") {
			files[name], err = os.ReadFile(path)
			require.NoError(t, err)
		}
	}
	require.NotEmpty(t, files)
	return files
}

// openBytes is Open without a file.
func openBytes(b []byte) (*File, error) {
	ix, err := ReadIndex(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return newFile("x.pth", bytes.NewReader(b), func() error { return nil }, ix), nil
}

// Every tensor of every file is what torch.load makes of it, bit by bit.
func TestFilesOfTorch(t *testing.T) {
	entries := map[string]string{"checkpoint": "state_dict", "pytorch_fcn": "model_state_dict"}
	for file := range fixtures(t) {
		t.Run(file, func(t *testing.T) {
			name, how, _ := strings.Cut(strings.TrimSuffix(file, ".pth"), "-")
			want, err := checkpoints.Open(filepath.Join("testdata", name+".safetensors"))
			require.NoError(t, err)
			defer want.Close()

			path := filepath.Join("testdata", file)
			f, err := Open(path, InProcess)
			require.NoError(t, err)
			defer f.Close()
			require.Equal(t, path, f.Path())
			require.Equal(t, entries[name], f.Entry())
			kind := Zip
			if strings.HasSuffix(how, "legacy") {
				kind = Legacy
			}
			require.Equal(t, kind, f.Kind())
			require.Equal(t, want.Infos(), f.Infos())
			for _, info := range f.Infos() {
				wanted, err := want.Read(info.Name)
				require.NoError(t, err)
				r, err := f.Reader(info.Name)
				require.NoError(t, err)
				got, err := io.ReadAll(r)
				require.NoError(t, err)
				require.Equal(t, wanted, got, info.Name)
				size, err := info.Size()
				require.NoError(t, err)
				require.Len(t, got, int(size))
			}
			_, err = f.Reader("nothing")
			require.EqualError(t, err, path+`: no tensor "nothing"`)
		})
	}
}

// An index is handed from one process to another.
func TestIndexSurvivesJSON(t *testing.T) {
	for name, b := range fixtures(t) {
		ix, err := ReadIndex(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err)
		text, err := json.Marshal(ix)
		require.NoError(t, err)
		var again Index
		require.NoError(t, json.Unmarshal(text, &again))
		require.Equal(t, ix, again, name)
		require.NoError(t, again.check(int64(len(b))))
	}
}

// What torch.save writes of other things than state dicts, and what people take for
// its files.
func TestRefused(t *testing.T) {
	for name, want := range map[string]string{
		"module":     "the file wants to call torch.nn.modules.container.Sequential; it is not a state dict and nothing of it was run",
		"tensor":     "the file holds a tensor, not a state dict: save net.state_dict()",
		"list":       "the file holds a list, not a state dict",
		"numbers":    "the file holds a dict without a tensor in it",
		"two":        `more than one state dict, and none is called state_dict: ["discriminator" "generator"]`,
		"sparse":     `tensor "w" is sparse`,
		"conjugated": `tensor "w" is conjugated or negated lazily`,
		"complex128": `tensor "w" is of a dtype that is not read`,
		"meta":       `tensor "w" is on the device meta`,
		"big-endian": "it was written on a big-endian machine",
		"script":     "it is a TorchScript program",
	} {
		path := filepath.Join("testdata", "refused-"+name+".pth")
		_, err := Open(path, InProcess)
		require.ErrorContains(t, err, path+": ", name)
		require.ErrorContains(t, err, want, name)
	}
	for start, want := range map[string]string{
		"":                          "it is empty",
		"version https://git-lfs.x": "Git LFS pointer",
		"<!DOCTYPE html>":           "a page of HTML",
		"\x89HDF\r\n":               "an HDF5 file",
		"PK\x05\x06" + strings.Repeat("\x00", 18): "an empty zip file",
		"\x80\x04\x95abc":                         "a Python pickle, and not one of torch.save",
		"hello":                                   "it begins as neither a zip file nor a pickle does",
	} {
		_, err := openBytes([]byte(start))
		require.ErrorContains(t, err, want)
	}
	_, err := Open(t.TempDir(), InProcess)
	require.ErrorContains(t, err, "is not a file")
	_, err = Open(filepath.Join(t.TempDir(), "missing.pth"), InProcess)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// The file can change between Open and Reader.
func TestFileGetsShorter(t *testing.T) {
	for _, name := range []string{"vgg11-zip.pth", "views-legacy.pth"} {
		b := fixtures(t)[name]
		path := filepath.Join(t.TempDir(), "w.pth")
		require.NoError(t, os.WriteFile(path, b, 0o666))
		f, err := Open(path, InProcess)
		require.NoError(t, err)
		defer f.Close()
		require.NoError(t, os.Truncate(path, 100))
		_, err = readertest.ReadAll(f)
		require.ErrorContains(t, err, path+": tensor ")
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
}
