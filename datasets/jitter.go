package datasets

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
)

// ColorJitter changes brightness, contrast and saturation, each by its own
// factor, uniform in [1-x, 1+x], with x in [0, 1]. Brightness scales a pixel,
// contrast moves it away from the image's mean grey, saturation away from its own
// grey, in this order, and the result is clipped once, at the end.
func ColorJitter(x float64) Transform {
	return func(rng *rand.Rand, s Sample) (Sample, error) {
		if !(0 <= x && x <= 1) {
			return s, fmt.Errorf("colour jitter %g: give a share from 0 to 1", x)
		}
		// The conversions keep the compiler from fusing products and sums, which
		// would round differently on some processors.
		factor := func() float64 { return 1 + float64(x*float64(2*rng.Float64()-1)) }
		brightness, contrast, saturation := factor(), factor(), factor()
		jitterImage(s.Image, brightness, contrast, saturation)
		return s, nil
	}
}

// The weights of a pixel's grey (Rec. 601), in 1/65536; their sum is 1.
const (
	greyR = 19595
	greyG = 38470
	greyB = 7471
)

// jitterImage works in whole numbers with 16 fractional bits. Grey is linear and
// the grey of a grey is itself, so that the three steps come down to one:
//
//	saturation*contrast*brightness * pixel
//	+ (1-saturation)*contrast*brightness * grey of the pixel
//	+ (1-contrast)*brightness * mean grey
func jitterImage(img *image.NRGBA, brightness, contrast, saturation float64) {
	const one = 1 << 16
	gain := float64(contrast * brightness)
	ofPixel := int(math.Round(one * float64(saturation*gain)))
	ofGrey := int(math.Round(one * float64((1-saturation)*gain)))
	ofMean := int(math.Round(one * float64((1-contrast)*brightness)))

	size := img.Rect.Size()
	sum := 0 // of greys, in 1/65536
	for y := range size.Y {
		row := img.Pix[y*img.Stride:][:4*size.X]
		for i := 0; i < len(row); i += 4 {
			sum += grey((*[4]uint8)(row[i:]))
		}
	}
	mean := sum / max(1, size.X*size.Y)
	constant := (ofMean*mean)>>16 + one/2

	for y := range size.Y {
		row := img.Pix[y*img.Stride:][:4*size.X]
		for i := 0; i < len(row); i += 4 {
			p := (*[4]uint8)(row[i:])
			shared := (ofGrey*grey(p))>>16 + constant
			p[0] = clip((ofPixel*int(p[0]) + shared) >> 16)
			p[1] = clip((ofPixel*int(p[1]) + shared) >> 16)
			p[2] = clip((ofPixel*int(p[2]) + shared) >> 16)
		}
	}
}

// grey of a pixel, in 1/65536.
func grey(p *[4]uint8) int {
	return greyR*int(p[0]) + greyG*int(p[1]) + greyB*int(p[2])
}

func clip(v int) uint8 {
	return uint8(min(max(v, 0), 255))
}
