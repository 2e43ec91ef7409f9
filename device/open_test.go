package device

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/stretchr/testify/require"
)

// installed is the user's own store, with the real CPU plugin in it.
func installed(t *testing.T) *Store {
	t.Helper()
	s, err := Default(os.Getenv)
	require.NoError(t, err)
	if _, err := s.Find(CPU); err != nil {
		t.Skipf("this test computes on XLA: %v", err)
	}
	return s
}

func open(t *testing.T, o Options) *Backend {
	t.Helper()
	b, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

func TestOpenCPU(t *testing.T) {
	s := installed(t)
	p, err := s.Find(CPU)
	require.NoError(t, err)
	b := open(t, Options{Backend: CPU, Store: s})
	require.Equal(t, CPU, b.Kind)
	require.Equal(t, p.Path, b.Path)
	require.Equal(t, p.SHA256, b.SHA256)
	require.Regexp(t, `^PJRT \d+\.\d+$`, b.Version)
	require.Equal(t, 1, b.Devices)
	_, err = Probe(b.Compute)
	require.NoError(t, err)

	// A second one, while the first is open, and with two devices.
	two := open(t, Options{Backend: CPU, Store: s, Devices: 2})
	require.Equal(t, 2, two.Devices)
	_, err = Probe(two.Compute)
	require.NoError(t, err)
}

// Trap: go-xla takes the path for the plugin's name, so letters in a directory
// decide how it computes, and a comma ends the path.
func TestOpenFromAMisleadingDirectory(t *testing.T) {
	p, err := installed(t).Find(CPU)
	require.NoError(t, err)
	s := &Store{Dir: filepath.Join(t.TempDir(), "cuda-lab, NVIDIA,help")}
	require.NoError(t, os.Mkdir(s.Dir, 0o755))
	require.NoError(t, os.Symlink(p.Path, s.libraryPath(CPU)))
	p.Path = filepath.Base(s.libraryPath(CPU))
	require.NoError(t, s.writeRecord(p))

	b := open(t, Options{Backend: CPU, Store: s})
	require.Equal(t, s.libraryPath(CPU), b.Path)
	x := b.Compute.(*xla.Backend)
	require.True(t, x.IsCPU())
	require.False(t, x.IsCUDA())
	require.True(t, x.HasSharedBuffers(), "the host's memory is the device's on a CPU")
	require.False(t, x.Capabilities().Operations[compute.OpTypeFusedScaledDotProductAttention], "an operation of cuDNN's")
	_, err = Probe(b.Compute)
	require.NoError(t, err)
}

func TestOpenGo(t *testing.T) {
	b := open(t, Options{Backend: Go})
	require.Equal(t, Go, b.Kind)
	require.Empty(t, b.Path)
	require.Equal(t, 1, b.Devices)
	_, err := Probe(b.Compute)
	require.NoError(t, err)
}

func TestOpenAuto(t *testing.T) {
	if len(GPUs()) > 0 {
		t.Skip("auto takes the GPU here; this test is about machines without one")
	}
	var warned []string
	warn := func(m string) { warned = append(warned, m) }

	b := open(t, Options{Backend: Auto, Store: &Store{Dir: t.TempDir()}, Warn: warn})
	require.Equal(t, Go, b.Kind)
	require.Len(t, warned, 1)
	require.Contains(t, warned[0], "about 150 times slower; `fcnx plugins install cpu` installs one")

	warned = nil
	b = open(t, Options{Store: installed(t), Warn: warn})
	require.Equal(t, CPU, b.Kind)
	require.Empty(t, warned)
}

// Every refusal is an ErrNoBackend with a way on; auto does not step over damage.
func TestOpenFailures(t *testing.T) {
	damaged := installFake(t)
	content, err := os.ReadFile(damaged.libraryPath(CPU))
	require.NoError(t, err)
	content[len(content)-1] ^= 1
	require.NoError(t, os.WriteFile(damaged.libraryPath(CPU), content, 0o644))

	notAPlugin := &Store{Dir: t.TempDir()}
	record(t, notAPlugin, fakeLibrary(t, "GetSomethingElse"))
	notALibrary := &Store{Dir: t.TempDir()}
	text := filepath.Join(t.TempDir(), "text.so")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("text ", 1000)), 0o644))
	record(t, notALibrary, text)

	for _, c := range []struct {
		name    string
		backend string
		store   *Store
		want    string
	}{
		{"unknown", "gpu", damaged, `no backend "gpu": it is one of auto, cpu, cuda, go`},
		{"no cpu", CPU, &Store{Dir: t.TempDir()}, "`fcnx plugins install cpu` installs it"},
		{"no cuda", CUDA, &Store{Dir: t.TempDir()}, "`fcnx plugins install cuda` installs it"},
		{"damaged", CPU, damaged, "is not the file that was installed"},
		{"damaged, on auto", Auto, damaged, "is not the file that was installed"},
		{"a library but no plugin", CPU, notAPlugin, "it exports no GetPjrtApi; `fcnx plugins install --force cpu` replaces it"},
		{"no library", CPU, notALibrary, "no shared library (bad magic number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(t.Context(), Options{Backend: c.backend, Store: c.store})
			require.ErrorIs(t, err, ErrNoBackend)
			require.ErrorContains(t, err, c.want)
		})
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ended, Options{Backend: CPU, Store: installFake(t)})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrNoBackend)
}

// record makes a store believe that library is its CPU plugin.
func record(t *testing.T, s *Store, library string) {
	t.Helper()
	got, err := linked(t.Context(), Plugin{Kind: CPU, Path: library})
	require.NoError(t, err)
	require.NoError(t, s.writeRecord(got.Plugin))
}

// Trap: go-xla downloads a plugin by itself wherever one is asked for by name.
func TestNothingIsDownloaded(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	open(t, Options{Backend: Go})
	_, err := xla.New("a-plugin-that-nobody-has")
	require.Error(t, err)
	entries, err := os.ReadDir(home)
	require.NoError(t, err)
	require.Empty(t, entries)
}
