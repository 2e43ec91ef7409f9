package datasets

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files are bench/jpeg/golden.py's: a JPEG and what libjpeg makes of it.
func TestJPEGIsWhatLibjpegMakesOfIt(t *testing.T) {
	paths, err := filepath.Glob("testdata/jpeg/*.jpg")
	require.NoError(t, err)
	require.Len(t, paths, 13)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got, err := ReadImage(path, 1<<16)
			require.NoError(t, err)
			want := besideIt(t, path)
			require.Equal(t, want.Rect, got.Rect)
			if strings.HasPrefix(filepath.Base(path), "blocks-") {
				require.Equal(t, want.Pix, got.Pix)
			}
			largest, sum := 0, 0
			for i := range want.Pix {
				d := max(int(want.Pix[i]), int(got.Pix[i])) - min(int(want.Pix[i]), int(got.Pix[i]))
				largest, sum = max(largest, d), sum+d
			}
			require.LessOrEqual(t, largest, 4)
			require.LessOrEqual(t, float64(sum)/float64(3*want.Rect.Dx()*want.Rect.Dy()), 0.1)
		})
	}
}

// besideIt is the PNG of the same name.
func besideIt(t *testing.T, path string) *image.NRGBA {
	t.Helper()
	file, err := os.Open(strings.TrimSuffix(path, filepath.Ext(path)) + ".png")
	require.NoError(t, err)
	defer file.Close()
	decoded, err := png.Decode(file)
	require.NoError(t, err)
	return toNRGBA(decoded)
}

func TestToRGB(t *testing.T) {
	for _, luma := range []uint8{0, 90, 128, 255} {
		for cb := range 256 {
			for cr := range 256 {
				var got [4]uint8
				toRGB(got[:], []uint8{luma}, []uint8{uint8(cb)}, []uint8{uint8(cr)})
				y, b, r := float64(luma), float64(cb-128), float64(cr-128)
				for i, want := range []float64{y + 1.402*r, y - 0.344136*b - 0.714136*r, y + 1.772*b} {
					if d := math.Abs(float64(got[i]) - min(max(want, 0), 255)); d > 0.502 {
						t.Fatalf("Y %d, Cb %d, Cr %d: channel %d is %d, and %.3f would be right", luma, cb, cr, i, got[i], want)
					}
				}
				require.EqualValues(t, 255, got[3])
			}
		}
	}
}

// BenchmarkJPEG converts 480x360 in 4:2:0, beside Go's own conversion, which repeats
// chroma, and beside the decoding before either.
func BenchmarkJPEG(b *testing.B) {
	data := encodeJPEG(b, picture(360, 480))
	img, err := jpeg.Decode(bytes.NewReader(data))
	require.NoError(b, err)
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			_, _ = jpeg.Decode(bytes.NewReader(data)) // it was decoded above
		}
	})
	b.Run("interpolate", func(b *testing.B) {
		for b.Loop() {
			fromYCbCr(img.(*image.YCbCr), jpegRounding, toRGB)
		}
	})
	b.Run("repeat", func(b *testing.B) {
		for b.Loop() {
			draw.Draw(image.NewRGBA(img.Bounds()), img.Bounds(), img, image.Point{}, draw.Src)
		}
	})
}
