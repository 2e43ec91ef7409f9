package main

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program, unlike its tests, is built to refuse names that lead out of an archive.
func TestArchivesMustNotLeadOut(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.DefaultGODEBUG}}", ".").Output()
	require.NoError(t, err)
	settings := strings.Split(strings.TrimSpace(string(out)), ",")
	require.Contains(t, settings, "zipinsecurepath=0")
	require.Contains(t, settings, "tarinsecurepath=0")
}

// What such an archive gives is a sentence, and nothing outside.
func TestArchivesThatLeadOut(t *testing.T) {
	t.Setenv("GODEBUG", "zipinsecurepath=0,tarinsecurepath=0")
	t.Setenv("FCNX_PLUGINS_DIR", t.TempDir())
	dir := t.TempDir()
	for _, member := range []string{"../evil.npy", "/tmp/fcnx-evil.npy", `..\evil.npy`} {
		for file, args := range map[string][]string{"a.npz": {"inspect"}, "a.whl": {"plugins", "install", "cpu", "--from"}} {
			path := filepath.Join(dir, "below", file)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
			archive, err := os.Create(path)
			require.NoError(t, err)
			z := zip.NewWriter(archive)
			_, err = z.Create(member)
			require.NoError(t, err)
			_, err = z.Create("plugin.so")
			require.NoError(t, err)
			require.NoError(t, z.Close())
			require.NoError(t, archive.Close())

			var stdout, stderr strings.Builder
			code := run(t.Context(), append(args, path), strings.NewReader(""), &stdout, &stderr)
			require.NotZero(t, code)
			require.Contains(t, stderr.String(), "leads out of the archive", "%s in %s", member, file)
		}
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.NoFileExists(t, "/tmp/fcnx-evil.npy")
}
