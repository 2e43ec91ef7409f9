package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const foreignFixtures = "../../checkpoints/weights/"

// runImport runs the command as a person would.
func runImport(t *testing.T, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"weights", "import"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// A file that is cut off anywhere is damaged: exit code 4, the file's name, and nothing
// written. Only a caffemodel cut between two layers may pass, for it has no end of its
// own, and then a warning says so.
func TestImportOfCutFiles(t *testing.T) {
	whole := []string{"--preprocess", "caffe", "--geometry", "paper"}
	for name, flags := range map[string][]string{
		"testdata/fcn8s-zip.pth": whole, "testdata/fcn16s-parallel.pth": whole, "testdata/fcn8s.safetensors": whole,
		"testdata/fcn8s-chainer.npz": nil, "testdata/vgg11-zip.pth": nil,
		"caffe/testdata/fcn8s_v2.caffemodel": nil, "caffe/testdata/vgg16_v1.caffemodel": nil,
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b, err := os.ReadFile(foreignFixtures + name)
			require.NoError(t, err)
			dir := t.TempDir()
			cut, out := filepath.Join(dir, "cut.file"), filepath.Join(dir, "out.safetensors")
			require.NoError(t, os.WriteFile(cut, b, 0o666))
			code, _, stderr := runImport(t, cut)
			require.Equal(t, exitDone, code, stderr)
			for percent := range 100 {
				require.NoError(t, os.WriteFile(cut, b[:len(b)*percent/100], 0o666))
				code, _, stderr := runImport(t, append([]string{cut, "--out", out}, flags...)...)
				if code == exitDone && strings.Contains(stderr, "it was cut off") {
					require.NoError(t, os.Remove(out))
					continue
				}
				require.Equal(t, exitBadData, code, "%d%%: %s", percent, stderr)
				require.Contains(t, stderr, cut)
				require.NoFileExists(t, out)
			}
		})
	}
}

// Between two layers there are other places to cut than every hundredth.
func TestImportOfCaffemodelsCutBetweenLayers(t *testing.T) {
	for name, parts := range map[string]int{"fcn8s_v2": 12, "vgg16_v1": 12} {
		b, err := os.ReadFile(foreignFixtures + "caffe/testdata/" + name + ".caffemodel")
		require.NoError(t, err)
		cut := filepath.Join(t.TempDir(), "cut.caffemodel")
		passed := 0
		for end := 1; end < len(b); end++ {
			// A layer begins with its field in V2 or V1.
			if !bytes.HasPrefix(b[end:], []byte{0xa2, 0x06}) && b[end] != 0x12 {
				continue
			}
			require.NoError(t, os.WriteFile(cut, b[:end], 0o666))
			code, stdout, stderr := runImport(t, cut)
			switch {
			case code == exitBadData:
				require.Contains(t, stderr, cut)
			case strings.Contains(stderr, "it was cut off"):
				require.Equal(t, exitDone, code)
				passed++
			default: // all that has weights is there
				require.Equal(t, exitDone, code, stderr)
				code, whole, _ := runImport(t, foreignFixtures+"caffe/testdata/"+name+".caffemodel")
				require.Equal(t, exitDone, code)
				_, whole, _ = strings.Cut(whole, "\n")
				_, stdout, _ = strings.Cut(stdout, "\n")
				require.Equal(t, whole, stdout)
			}
		}
		require.GreaterOrEqual(t, passed, 3, name)
		require.LessOrEqual(t, passed, parts, name)
	}
}

// What was written by real libraries goes through the command, and says what it is.
func TestImportOfWrittenFiles(t *testing.T) {
	for name, want := range map[string]string{
		"testdata/fcn8s-zip.pth":                    "pytorch-fcn's names, vgg16, width 1, head 2, fcn8s, 2 classes, learned upsampling, its entry model_state_dict",
		"testdata/fcn16s-parallel.pth":              "pytorch-fcn's names, vgg16, width 1, head 2, fcn16s, 2 classes, learned upsampling, its entry model_state_dict",
		"testdata/fcn8s-chainer.npz":                "chainer's names, vgg16, width 1, head 2, fcn8s, 2 classes, learned upsampling",
		"testdata/vgg11-nan.pth":                    "torchvision's names, vgg11, width 1",
		"caffe/testdata/fcn8s_v2.caffemodel":        "caffe's names, vgg16, width 1, head 4, fcn8s, 3 classes, learned upsampling",
		"caffe/testdata/fcn8s_atonce_v2.caffemodel": "caffe's names, vgg16, width 1, head 4, fcn8s, 3 classes, learned upsampling, at once",
		"caffe/testdata/vgg16_v1.caffemodel":        "caffe's names, vgg16, width 1, head 4",
		"testdata/vgg11-zip.pth":                    "torchvision's names, vgg11, width 1, head 2",
	} {
		path := foreignFixtures + name
		out := filepath.Join(t.TempDir(), "out.safetensors")
		code, stdout, stderr := runImport(t, path, "--preprocess", "caffe", "--order", "rgb", "--out", out)
		if strings.HasPrefix(name, "testdata/fcn") && strings.HasPrefix(want, "pytorch") {
			require.Equal(t, exitUsage, code)
			require.Contains(t, stderr, "does not tell its geometry; add --geometry")
			code, stdout, stderr = runImport(t, path, "--preprocess", "caffe", "--order", "rgb", "--geometry", "paper", "--out", out)
		}
		require.Equal(t, exitDone, code, "%s: %s", name, stderr)
		require.Equal(t, fmt.Sprintf("%s: %s", path, want), strings.SplitN(stdout, "\n", 2)[0])
		require.Contains(t, stdout, "order = \"rgb\"")
		_, err := openFileNetwork(t.Context(), out, networkFlags{step: -1, look: true}, func(string) {})
		require.NoError(t, err)
	}
}

// What was said wrongly is exit code 2, whatever is the matter with the file.
func TestImportFlagsThatMeanNothing(t *testing.T) {
	vgg, fcn := foreignFixtures+"testdata/vgg11-zip.pth", foreignFixtures+"testdata/fcn8s-zip.pth"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{vgg, "--at-once"}, "has no scores of pool4 and pool3 to scale; leave --at-once out"},
		{[]string{vgg, "--geometry", "paper", "--out", "never.safetensors"}, "vgg11-zip.pth is no whole network; leave --geometry out"},
		{[]string{fcn, "--order", "rgb"}, "does not say in which order its channels are"},
		{[]string{fcn, "--out", "never.safetensors"}, "does not tell what it was trained with; add --preprocess"},
		{[]string{fcn, "--preprocess", "caffe", "--out", "never.safetensors"}, "does not tell its geometry; add --geometry"},
	} {
		code, _, stderr := runImport(t, c.args...)
		require.Equal(t, exitUsage, code, stderr)
		require.Contains(t, stderr, c.want)
	}
	require.NoFileExists(t, "never.safetensors")
}

// Shapes that no network has are refused before anything is written, because no command
// could read it again.
func TestImportOfWhatFitsNoNetwork(t *testing.T) {
	code, _, stderr := runImport(t, foreignFixtures+"pth/testdata/vgg11-zip.pth", "--out", "never.safetensors")
	require.Equal(t, exitBadData, code)
	require.Contains(t, stderr, "does not fit the network: 13 tensors differ in shape")
	require.NoFileExists(t, "never.safetensors")
}
