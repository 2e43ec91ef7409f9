package datasets

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files are bench/jpeg/golden.py's: a WebP and what libwebp makes of it. VP8 leaves
// nothing to the decoder, so that every byte is the same.
func TestWebPIsWhatLibwebpMakesOfIt(t *testing.T) {
	paths, err := filepath.Glob("testdata/webp/*.webp")
	require.NoError(t, err)
	require.Len(t, paths, 6)
	for _, path := range paths {
		img, err := ReadImage(path, 1<<16)
		require.NoError(t, err)
		require.Equal(t, besideIt(t, path), img, path)
	}
}
