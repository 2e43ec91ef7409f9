package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/train"
)

// The names that the configuration takes and those that mean something are the same.
func TestInitPreprocessKnowsTheNames(t *testing.T) {
	for _, name := range append([]string{""}, weights.PreprocessNames()...) {
		c := train.Default()
		c.Model.Init, c.Model.InitPreprocess = "w", name
		require.NoError(t, c.ValidateNetwork(), name)
	}
}

// A file of weights lies on a hub, and is taken over by its name there.
func TestImportFromAHub(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	var infos []checkpoints.Info
	in := 3
	for _, n := range []string{"0", "3", "6", "8", "11", "13", "16", "18"} {
		infos = append(infos, checkpoints.Info{Name: "features." + n + ".weight", DType: "F32", Shape: []int{2, in, 3, 3}},
			checkpoints.Info{Name: "features." + n + ".bias", DType: "F32", Shape: []int{2}})
		in = 2
	}
	_, err := checkpoints.WriteFile(path, infos, nil, func(name string, w io.Writer) error {
		for _, info := range infos {
			if size, err := info.Size(); info.Name == name && err == nil {
				_, err := w.Write(bytes.Repeat([]byte("\x00\x00\x80\x3f"), int(size/4)))
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	commit := strings.Repeat("ab", 20)
	sum := sha256.Sum256(content)
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/api/models/smp/vgg11/revision/main":
			_ = json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": []any{map[string]any{
				"rfilename": "model.safetensors", "size": len(content), "lfs": map[string]any{"sha256": hex.EncodeToString(sum[:])},
			}}})
		case r.URL.Path == "/smp/vgg11/resolve/"+commit+"/model.safetensors":
			_, _ = w.Write(content)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer hub.Close()
	t.Setenv("HF_ENDPOINT", hub.URL)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	fcnx := func(token string, args ...string) (code int, stdout, stderr string) {
		t.Setenv("HF_TOKEN", token)
		var out, errs bytes.Buffer
		code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
		return code, out.String(), errs.String()
	}

	code, _, stderr := fcnx("", "weights", "import", "hf:smp/vgg11/model.safetensors")
	require.Equal(t, exitBadData, code)
	require.Contains(t, stderr, "set HF_TOKEN to a token that may read it")
	code, stdout, stderr := fcnx("token", "weights", "import", "hf:smp/vgg11/model.safetensors")
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stderr, "hf:smp/vgg11/model.safetensors is hf:smp/vgg11@"+commit+"/model.safetensors")
	require.Contains(t, stdout, "torchvision's names, vgg11, width 2")

	hub.Close()
	code, _, stderr = fcnx("", "weights", "import", "hf:smp/vgg11@"+commit+"/model.safetensors")
	require.Equal(t, exitDone, code, stderr)
	code, _, stderr = fcnx("", "weights", "import", "hf:smp/vgg11@"+strings.Repeat("0", 40)+"/model.safetensors")
	require.Equal(t, exitBadData, code)
	require.Contains(t, stderr, "cannot be reached")
}
