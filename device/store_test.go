package device

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

func TestDefaultStore(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want string // empty: an error
	}{
		{"own variable first", map[string]string{"FCNX_PLUGINS_DIR": "/p", "XDG_DATA_HOME": "/d", "HOME": "/h"}, "/p"},
		{"then XDG", map[string]string{"XDG_DATA_HOME": "/d", "HOME": "/h"}, "/d/fcnx/plugins"},
		{"then home", map[string]string{"HOME": "/h"}, "/h/.local/share/fcnx/plugins"},
		{"a relative XDG_DATA_HOME is none", map[string]string{"XDG_DATA_HOME": "d", "HOME": "/h"}, "/h/.local/share/fcnx/plugins"},
		{"nothing", nil, ""},
		{"a relative home is none", map[string]string{"HOME": "h"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Default(func(key string) string { return c.env[key] })
			if c.want == "" {
				require.ErrorContains(t, err, "FCNX_PLUGINS_DIR")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, s.Dir)
		})
	}
	s, err := Default(func(key string) string { return map[string]string{"FCNX_PLUGINS_DIR": "here"}[key] })
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(s.Dir), "the working directory may change later: %s", s.Dir)
}

func TestFindNothing(t *testing.T) {
	s := &Store{Dir: filepath.Join(t.TempDir(), "never made")}
	_, err := s.Find(CPU)
	require.ErrorIs(t, err, ErrNotInstalled)
	require.ErrorContains(t, err, "`fcnx plugins install cpu` installs it")
	require.ErrorIs(t, s.Remove(t.Context(), CUDA), ErrNotInstalled)
	_, err = s.Find("tpu")
	require.ErrorContains(t, err, `no plugin is called "tpu"; there are cpu and cuda`)
}

// A record that is not whole is neither believed nor taken for "not installed".
func TestFindDamagedRecord(t *testing.T) {
	for _, text := range []string{
		"", "{", "[]", "null", `{"kind":"cpu"}`,
		`{"kind":"cuda","path":"x.so","sha256":"` + sixtyFour + `"}`,
		`{"kind":"cpu","path":"x.so","sha256":"short"}`,
		`{"kind":"cpu","path":"x.so","sha256":"` + sixtyFour + `","surprise":1}`,
	} {
		s := &Store{Dir: t.TempDir()}
		require.NoError(t, os.WriteFile(s.recordPath(CPU), []byte(text), 0o644))
		_, err := s.Find(CPU)
		require.ErrorContains(t, err, "is damaged; `fcnx plugins install --force cpu` replaces it", text)
		require.False(t, errors.Is(err, ErrNotInstalled), text)
	}
}

const sixtyFour = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestVerify(t *testing.T) {
	s := installFake(t)
	p, err := s.Verify(t.Context(), CPU)
	require.NoError(t, err)
	require.Equal(t, s.libraryPath(CPU), p.Path)
	library, err := os.ReadFile(p.Path)
	require.NoError(t, err)

	flipped := append([]byte{}, library...)
	flipped[len(flipped)/2] ^= 1
	require.NoError(t, os.WriteFile(p.Path, flipped, 0o644))
	_, err = s.Verify(t.Context(), CPU)
	require.ErrorContains(t, err, "is not the file that was installed")
	require.ErrorContains(t, err, "`fcnx plugins install --force cpu` replaces it")

	require.NoError(t, os.WriteFile(p.Path, library[:100], 0o644))
	_, err = s.Verify(t.Context(), CPU)
	require.ErrorContains(t, err, "has 100 bytes where")

	require.NoError(t, os.Remove(p.Path))
	_, err = s.Verify(t.Context(), CPU)
	require.ErrorContains(t, err, "is not there")

	require.NoError(t, os.WriteFile(p.Path, library, 0o644))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Verify(ended, CPU)
	require.ErrorIs(t, err, context.Canceled)
}

// A library that is only pointed at comes from where it was, not from the pinned package.
func TestHowAPluginIsMended(t *testing.T) {
	for want, p := range map[string]Plugin{
		"fcnx plugins install --force cpu":                            {Kind: CPU, Source: "/tmp/p.so"},
		"fcnx plugins install --force cuda":                           {Kind: CUDA, Source: "pip"},
		"fcnx plugins install --force cuda --from jax":                {Kind: CUDA, Source: "jax"},
		"fcnx plugins install --force cuda --from /tmp/cuda.so":       {Kind: CUDA, Source: "/tmp/cuda.so"},
		"fcnx plugins install --force cuda --from '/tmp/a b/cuda.so'": {Kind: CUDA, Source: "/tmp/a b/cuda.so"},
	} {
		require.Equal(t, want, p.damagef("it is broken").Repair)
	}
	gone := Plugin{Kind: CUDA, Path: "/no/such/cuda.so", Source: "/no/such/cuda.so"}
	require.ErrorContains(t, gone.verify(t.Context()), "is not there; `fcnx plugins install --force cuda --from FILE` takes it from where it is now")
	gone.Source = "jax"
	require.ErrorContains(t, gone.verify(t.Context()), "is not there; `fcnx plugins install --force cuda --from jax` brings it back")
}

// The record names the library relative to the store, so a store can be moved.
func TestStoreCanBeMoved(t *testing.T) {
	s := installFake(t)
	moved := &Store{Dir: filepath.Join(t.TempDir(), "elsewhere")}
	require.NoError(t, os.Rename(s.Dir, moved.Dir))
	_, err := moved.Verify(t.Context(), CPU)
	require.NoError(t, err)
}

func TestRemove(t *testing.T) {
	s := installFake(t)
	require.NoError(t, s.Remove(t.Context(), CPU))
	require.Empty(t, visible(t, s))
	require.ErrorIs(t, s.Remove(t.Context(), CPU), ErrNotInstalled)
}

// What is only pointed at is another program's, and outlives the record.
func TestRemoveLeavesWhatIsLinked(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	library := filepath.Join(t.TempDir(), "xla_cuda_plugin.so")
	require.NoError(t, os.Rename(fakeLibrary(t, "GetPjrtApi"), library))
	p, _, err := s.Install(t.Context(), InstallOptions{Kind: CUDA, From: library})
	require.NoError(t, err)
	require.Equal(t, library, p.Path)
	require.NoError(t, s.Remove(t.Context(), CUDA))
	require.FileExists(t, library)
	require.Empty(t, visible(t, s))
}

// Any record that Find takes can be written again as it is.
func FuzzRecord(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte(`{"kind":"cpu","package":"p","version":"1","path":"a.so","size":3,"sha256":"` + sixtyFour + `","pinned":true,"source":"pip","installed":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"kind":"cpu","path":"/abs.so","sha256":"` + sixtyFour + `"}`))
	f.Add([]byte(`{"kind":"cpu","path":"../../x","size":-1,"sha256":"` + sixtyFour + `"}{`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &Store{Dir: dir}
		require.NoError(t, os.WriteFile(s.recordPath(CPU), text, 0o644))
		var p Plugin
		var err error
		memtest.Bound{Any: 64 << 10, PerByte: 64}.Within(t, len(text), func() { p, err = s.Find(CPU) })
		if err != nil {
			return
		}
		require.Equal(t, CPU, p.Kind)
		require.True(t, filepath.IsAbs(p.Path))
		_, err = json.Marshal(p)
		require.NoError(t, err)
	})
}
