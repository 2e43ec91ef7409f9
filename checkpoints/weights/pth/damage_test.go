package pth

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints/weights/readertest"
)

// A download that broke off is an error wherever it did.
func TestCut(t *testing.T) {
	for name, b := range fixtures(t) {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, b, 0o666))
		for percent := 99; percent >= 0; percent-- {
			require.NoError(t, os.Truncate(path, int64(len(b)*percent/100)))
			_, err := Open(path, InProcess)
			require.ErrorContains(t, err, path+": ", "%d%%", percent)
		}
		if len(b) > 4000 {
			continue
		}
		for n := range b {
			_, err := ReadIndex(bytes.NewReader(b[:n]), int64(n))
			require.Error(t, err, "%s, %d bytes", name, n)
		}
	}
}

// Files of the zip kind have checksums: one wrong bit is an error or changes nothing.
func TestFlippedBitsOfZip(t *testing.T) {
	for _, name := range []string{"pytorch_fcn-zip.pth", "views-zip.pth"} {
		b := fixtures(t)[name]
		f, err := openBytes(b)
		require.NoError(t, err)
		want, err := readertest.ReadAll(f)
		require.NoError(t, err)
		infos := f.Infos()
		flip(b, func(at int) {
			f, err := openBytes(b)
			if err != nil {
				return
			}
			got, err := readertest.ReadAll(f)
			if err != nil {
				return
			}
			require.Equal(t, infos, f.Infos(), "%s, byte %d", name, at)
			require.Equal(t, want, got, "%s, byte %d", name, at)
		})
	}
}

// Files of the older kind have none: a wrong bit may become a wrong number, and
// nothing worse.
func TestFlippedBitsOfLegacy(t *testing.T) {
	for _, name := range []string{"pytorch_fcn-legacy.pth", "views-legacy.pth", "python2-legacy.pth"} {
		b := fixtures(t)[name]
		refused := 0
		flip(b, func(at int) {
			var f *File
			var err error
			mayAllocate.Within(t, len(b), func() { f, err = openBytes(b) })
			if err != nil {
				refused++
				return
			}
			for _, info := range f.Infos() {
				size, err := info.Size()
				require.NoError(t, err)
				require.LessOrEqual(t, size, int64(len(b)))
			}
			_, err = readertest.ReadAll(f)
			require.NoError(t, err, "%s, byte %d", name, at)
		})
		require.NotZero(t, refused)
	}
}

// flip calls f with a bit of each byte of b wrong, each time another one, and with all
// bits of it.
func flip(b []byte, f func(at int)) {
	for i := range b {
		for _, mask := range []byte{1 << (i % 8), 255} {
			b[i] ^= mask
			f(i)
			b[i] ^= mask
		}
	}
}
