package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
	content, err := os.ReadFile(foreignFixtures + "testdata/vgg11.safetensors")
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
	require.Contains(t, stdout, "torchvision's names, vgg11, width 1")

	hub.Close()
	code, _, stderr = fcnx("", "weights", "import", "hf:smp/vgg11@"+commit+"/model.safetensors")
	require.Equal(t, exitDone, code, stderr)
	code, _, stderr = fcnx("", "weights", "import", "hf:smp/vgg11@"+strings.Repeat("0", 40)+"/model.safetensors")
	require.Equal(t, exitBadData, code)
	require.Contains(t, stderr, "cannot be reached")
}
