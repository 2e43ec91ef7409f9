package datasets

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
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
			file, err := os.Open(strings.TrimSuffix(path, "jpg") + "png")
			require.NoError(t, err)
			defer file.Close()
			decoded, err := png.Decode(file)
			require.NoError(t, err)
			want := toNRGBA(decoded)
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

// slowChroma is the sample of a plane at a pixel, straight from its definition: a
// tent over the nearest two in each direction that is halved.
func slowChroma(at func(x, y int) int, w, h, across, down, x, y int) int {
	sample := func(x, y int) int { return at(min(max(x, 0), w-1), min(max(y, 0), h-1)) }
	column, line := x/across, y/down
	beside, above := column-1+x%2*2, line-1+y%2*2
	switch {
	case across > 2 || across == 2 && w <= 2:
		return sample(column, line)
	case across == 1 && down == 1:
		return sample(x, y)
	case across == 1:
		return (3*sample(column, line) + sample(column, above) + 1 + y%2) / 4
	case down == 1:
		return (3*sample(column, line) + sample(beside, line) + 1 + x%2) / 4
	}
	return (9*sample(column, line) + 3*sample(beside, line) + 3*sample(column, above) + sample(beside, above) + 8 - x%2) / 16
}

func TestChroma(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for ratio, spans := range map[image.YCbCrSubsampleRatio][2]int{
		image.YCbCrSubsampleRatio444: {1, 1}, image.YCbCrSubsampleRatio422: {2, 1}, image.YCbCrSubsampleRatio420: {2, 2},
		image.YCbCrSubsampleRatio440: {1, 2}, image.YCbCrSubsampleRatio411: {4, 1}, image.YCbCrSubsampleRatio410: {4, 2},
	} {
		for h := 1; h <= 9; h++ {
			for w := 1; w <= 11; w++ {
				// As a decoder gives it: cut out of whole blocks, here with some before it too.
				m := image.NewYCbCr(image.Rect(0, 0, 32, 32), ratio)
				for i := range m.Cb {
					m.Cb[i] = uint8(rng.Uint32())
				}
				m = m.SubImage(image.Rect(8, 8, 8+w, 8+h)).(*image.YCbCr)
				c := newChroma(m, m.Cb)
				at := func(x, y int) int { return int(m.Cb[y*m.CStride+x]) }
				for y := range h {
					row := c.row(y)
					for x := range w {
						require.EqualValues(t, slowChroma(at, c.w, c.h, spans[0], spans[1], x, y), row[x], "%v of %dx%d at row %d, column %d", ratio, h, w, y, x)
					}
				}
			}
		}
	}
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
			fromYCbCr(img.(*image.YCbCr))
		}
	})
	b.Run("repeat", func(b *testing.B) {
		for b.Loop() {
			draw.Draw(image.NewRGBA(img.Bounds()), img.Bounds(), img, image.Point{}, draw.Src)
		}
	})
}
