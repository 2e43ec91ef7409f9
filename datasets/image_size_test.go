package datasets

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImageSize(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.png")
	f, err := os.Create(good)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, image.NewGray(image.Rect(0, 0, 7, 5))))
	require.NoError(t, f.Close())
	h, w, err := ImageSize(good, DefaultMaxPixels)
	require.NoError(t, err)
	require.Equal(t, [2]int{5, 7}, [2]int{h, w})

	_, _, err = ImageSize(good, 34)
	require.ErrorContains(t, err, good+": 5x7 (height x width) is more than 34 pixels")
	_, _, err = ImageSize(dir, DefaultMaxPixels)
	require.EqualError(t, err, dir+": a directory, where a file is expected")
	_, _, err = ImageSize(filepath.Join(dir, "none.png"), DefaultMaxPixels)
	require.EqualError(t, err, filepath.Join(dir, "none.png")+": there is no such file")
}

func TestIsImageName(t *testing.T) {
	for name, want := range map[string]bool{"a.png": true, "b/A.JPEG": true, "c.webp": true, "d.txt": false, "png": false, "e.png.tmp": false} {
		require.Equal(t, want, IsImageName(name), name)
	}
}
