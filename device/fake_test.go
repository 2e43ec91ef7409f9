package device

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The real plugin has 259 MB. What does not have to be loaded is tried with a
// library of a few kilobytes that exports the one symbol which is looked for.

// fakeLibrary compiles a shared library that exports symbol. The C compiler is
// there wherever this package, which uses cgo, was built.
func fakeLibrary(t testing.TB, symbol string) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "fake.c")
	require.NoError(t, os.WriteFile(source, []byte("const void *"+symbol+"(void) { return 0; }\n"), 0o644))
	library := filepath.Join(dir, "fake.so")
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "gcc"
	}
	out, err := exec.Command(compiler, "-shared", "-fPIC", "-nostdlib", "-o", library, source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return library
}

// installFake is a store with such a library as its CPU plugin.
func installFake(t testing.TB) *Store {
	t.Helper()
	s := &Store{t.TempDir()}
	_, already, err := s.Install(t.Context(), InstallOptions{
		Kind: CPU, From: fakeLibrary(t, "GetPjrtApi"), Now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	})
	require.NoError(t, err)
	require.False(t, already)
	return s
}

// fakeWheel writes a wheel by the given name with members and returns its path.
func fakeWheel(t testing.TB, name string, members map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	require.NoError(t, err)
	archive := zip.NewWriter(f)
	for member, content := range members {
		w, err := archive.Create(member)
		require.NoError(t, err)
		_, err = w.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	require.NoError(t, f.Close())
	return path
}

// visible lists a store but for its lock.
func visible(t testing.TB, s *Store) []string {
	t.Helper()
	entries, err := os.ReadDir(s.Dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		if e.Name() != ".lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

// fakePython puts a shell script named python3 first on PATH. It stands for a
// Python that fails in a way which cannot be had from a real one at will.
func fakePython(t testing.TB, script ...string) {
	t.Helper()
	dir := t.TempDir()
	text := "#!/bin/sh\n" + strings.Join(script, "\n") + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "python3"), []byte(text), 0o755))
	t.(interface{ Setenv(key, value string) }).Setenv("PATH", dir+":/usr/bin:/bin")
}
