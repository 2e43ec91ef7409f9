package plot

import (
	"image/color"
	"math"
)

// viridis is matplotlib's colour scale of that name at ninths: its brightness rises
// evenly, so that it reads the same for colour-blind eyes and in grey.
var viridis = [...]color.RGBA{
	{0x44, 0x01, 0x54, 0xff}, {0x48, 0x28, 0x78, 0xff}, {0x3e, 0x49, 0x89, 0xff},
	{0x31, 0x68, 0x8e, 0xff}, {0x26, 0x82, 0x8e, 0xff}, {0x1f, 0x9e, 0x89, 0xff},
	{0x35, 0xb7, 0x79, 0xff}, {0x6e, 0xce, 0x58, 0xff}, {0xb5, 0xde, 0x2b, 0xff},
	{0xfd, 0xe7, 0x25, 0xff},
}

// Heat is the colour of a fraction from 0 to 1: little is near the background, much
// stands out from it, on a dark terminal as on a light one. NaN is grey.
func Heat(fraction float64, dark bool) color.Color {
	if math.IsNaN(fraction) {
		return color.RGBA{0x80, 0x80, 0x80, 0xff}
	}
	position := clamp(fraction)
	if !dark {
		position = 1 - position
	}
	position *= float64(len(viridis) - 1)
	i := min(int(position), len(viridis)-2)
	a, b, t := viridis[i], viridis[i+1], position-float64(i)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + t*(float64(b)-float64(a)))) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

// OnHeat is black or white, whichever can be read on the colour of [Heat].
func OnHeat(fraction float64, dark bool) color.Color {
	r, g, b, _ := Heat(fraction, dark).RGBA()
	linear := func(c uint32) float64 { return math.Pow(float64(c)/0xffff, 2.2) }
	luminance := 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
	if luminance > 0.18 { // where the contrast of WCAG with black and with white is equal
		return color.RGBA{0, 0, 0, 0xff}
	}
	return color.RGBA{0xff, 0xff, 0xff, 0xff}
}

// HeatGlyph says the same without colour, in ASCII: from '.' to '@', and a blank for
// NaN.
func HeatGlyph(fraction float64) byte {
	const ramp = ".:-=+*#%@"
	if math.IsNaN(fraction) {
		return ' '
	}
	return ramp[min(int(clamp(fraction)*float64(len(ramp))), len(ramp)-1)]
}
