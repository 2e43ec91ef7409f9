package datasets

import (
	"image"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// slowChroma is the sample of a plane at a pixel, straight from its definition: a
// tent over the nearest two in each direction that is halved.
func slowChroma(at func(x, y int) int, r rounding, w, h, across, down, x, y int) int {
	sample := func(x, y int) int { return at(min(max(x, 0), w-1), min(max(y, 0), h-1)) }
	column, line := x/across, y/down
	beside, above := column-1+x%2*2, line-1+y%2*2
	switch {
	case across > 2 || across == 2 && w <= 2 && !r.narrow:
		return sample(column, line)
	case across == 1 && down == 1:
		return sample(x, y)
	case across == 1:
		return (3*sample(column, line) + sample(column, above) + 1 + y%2) / 4
	case down == 1:
		return (3*sample(column, line) + sample(beside, line) + 1 + x%2) / 4
	}
	return (9*sample(column, line) + 3*sample(beside, line) + 3*sample(column, above) + sample(beside, above) + [2]int{8, int(r.odd)}[x%2]) / 16
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
				at := func(x, y int) int { return int(m.Cb[y*m.CStride+x]) }
				for _, r := range []rounding{jpegRounding, webpRounding} {
					c := newChroma(m, m.Cb, r)
					for y := range h {
						row := c.row(y)
						for x := range w {
							want := slowChroma(at, r, c.w, c.h, spans[0], spans[1], x, y)
							require.EqualValues(t, want, row[x], "%v of %dx%d, %v, at row %d, column %d", ratio, h, w, r, y, x)
						}
					}
				}
			}
		}
	}
}

// No plane, however it is cut, is read outside of its bytes.
func FuzzChroma(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte{1, 2, 3}, uint8(5), uint8(3), uint8(2), uint8(0), uint8(0))
	f.Add([]byte{255}, uint8(1), uint8(1), uint8(5), uint8(7), uint8(9))
	f.Fuzz(func(t *testing.T, pixels []byte, w, h, ratio, x, y uint8) {
		if len(pixels) == 0 || w == 0 || h == 0 {
			return
		}
		m := image.NewYCbCr(image.Rect(int(x), int(y), int(x)+int(w), int(y)+int(h)), image.YCbCrSubsampleRatio(ratio%6))
		for i, plane := range [][]byte{m.Y, m.Cb, m.Cr} {
			for k := range plane {
				plane[k] = pixels[(k+i)%len(pixels)]
			}
		}
		for _, c := range []struct {
			r       rounding
			convert func(dst, luma, cb, cr []uint8)
		}{{jpegRounding, toRGB}, {webpRounding, videoToRGB}} {
			got := fromYCbCr(m, c.r, c.convert)
			require.Equal(t, image.Rect(0, 0, int(w), int(h)).Size(), got.Bounds().Size())
		}
	})
}
