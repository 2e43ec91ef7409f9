package device

import (
	"archive/zip"
	"fmt"
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

// compile makes a shared library of a C text. The C compiler is there wherever this
// package, which uses cgo, was built.
func compile(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "fake.c")
	require.NoError(t, os.WriteFile(source, []byte(text), 0o644))
	library := filepath.Join(dir, "fake.so")
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "gcc"
	}
	out, err := exec.Command(compiler, "-shared", "-fPIC", "-nostdlib", "-o", library, source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return library
}

// fakeAPI is the C text of a function by a name that gives an API of so many functions,
// of which none works.
func fakeAPI(name string, major, minor, functions int) string {
	return fmt.Sprintf(`
static void nothing(void) {}
static struct { unsigned long size; void *x; unsigned long version_size; void *y; int major, minor; void *f[200]; } api =
	{ 40 + 8 * %d, 0, 24, 0, %d, %d, { [0 ... 199] = (void *)nothing } };
const void *%s(void) { return &api; }
`, functions, major, minor, name)
}

// fakeLibrary is a library that exports symbol, which gives an API of the right shape.
func fakeLibrary(t testing.TB, symbol string) string {
	t.Helper()
	return compile(t, fakeAPI(symbol, 0, 81, 130))
}

// installFake is a store with such a library as its CPU plugin.
func installFake(t testing.TB) *Store {
	t.Helper()
	s := &Store{Dir: t.TempDir()}
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
