package datasets

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
)

// maxSide bounds a side that a transform may make, in pixels: a slip in a scale
// or a size should be an error, not all of the memory.
const maxSide = 1 << 14

// Resize gives the image h rows and w columns, bilinearly and with anti-aliasing
// where it shrinks, and the label with it, by the nearest pixel centre. A sample
// without a label stays without. It draws nothing from its rng.
func Resize(h, w int) Transform {
	return func(_ *rand.Rand, s Sample) (Sample, error) {
		return resize(s, h, w)
	}
}

// ScaleJitter zooms image and label by one factor, uniform in [lo, hi]. The size
// that comes out varies from sample to sample: follow it with [Crop].
func ScaleJitter(lo, hi float64) Transform {
	return func(rng *rand.Rand, s Sample) (Sample, error) {
		if !(0 < lo && lo <= hi && hi < maxSide) {
			return s, fmt.Errorf("scale [%g, %g]: give two positive factors, the smaller one first", lo, hi)
		}
		// The conversion keeps the compiler from fusing product and sum, which
		// would round differently on some processors.
		factor := lo + float64((hi-lo)*rng.Float64())
		size := s.Image.Rect.Size()
		h := max(1, int(math.Round(float64(size.Y)*factor)))
		w := max(1, int(math.Round(float64(size.X)*factor)))
		return resize(s, h, w)
	}
}

func resize(s Sample, h, w int) (Sample, error) {
	if h < 1 || w < 1 || h > maxSide || w > maxSide {
		return s, fmt.Errorf("resize to %dx%d: sides must be 1 to %d pixels", h, w, maxSide)
	}
	s.Image = resizeImage(s.Image, h, w)
	if s.Label != nil {
		s.Label = resizeLabel(s.Label, h, w)
	}
	return s, nil
}

// resizeLabel takes, for each new pixel, the old one in which its centre lies:
// classes cannot be averaged.
func resizeLabel(src *image.Gray, h, w int) *image.Gray {
	from := src.Rect.Size()
	if from.Y == h && from.X == w {
		return src
	}
	columns := make([]int, w)
	for x := range columns {
		columns[x] = (2*x + 1) * from.X / (2 * w)
	}
	dst := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		row := src.Pix[(2*y+1)*from.Y/(2*h)*src.Stride:]
		out := dst.Pix[y*dst.Stride:][:w]
		for x, column := range columns {
			out[x] = row[column]
		}
	}
	return dst
}
