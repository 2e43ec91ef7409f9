package checkpoints

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A file that a run writes is its own: neither another's behind a link, nor a pipe, on
// whose reader its opening would wait for ever.
func TestOpenOwn(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(path("another's"), []byte("precious"), 0o666))
	require.NoError(t, os.Symlink("another's", path("link")))
	require.NoError(t, os.Symlink("nothing", path("dangling")))
	require.NoError(t, unix.Mkfifo(path("pipe"), 0o666))
	for _, flag := range []int{os.O_RDWR, os.O_WRONLY | os.O_APPEND} {
		for name, want := range map[string]string{
			"link": "is a link", "dangling": "is a link", "pipe": "is not a file", ".": "is a directory",
		} {
			_, err := OpenOwn(path(name), flag)
			require.ErrorContains(t, err, want)
		}
	}
	require.NoFileExists(t, path("nothing"))

	for range 2 {
		f, err := OpenOwn(path("log"), os.O_WRONLY|os.O_APPEND)
		require.NoError(t, err)
		_, err = f.WriteString("line\n")
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	text, err := os.ReadFile(path("log"))
	require.NoError(t, err)
	require.Equal(t, "line\nline\n", string(text))

	// The lock is emptied before the holder is written to it.
	r := &Run{Dir: dir}
	require.NoError(t, os.Symlink("another's", r.lockPath()))
	require.ErrorContains(t, r.Lock(testTime), "is a link")
	text, err = os.ReadFile(path("another's"))
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))
}
