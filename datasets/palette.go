package datasets

import (
	"image"
	"image/color"
)

// VOCColor is the colour of a label in PASCAL VOC's map: bit b of the label's
// three interleaved bit planes becomes bit 7-b/3 of red, green and blue in turn,
// so that neighbouring labels look unlike. 0 is black, 255 (224,224,192).
//
// Source: VOCdevkit, VOCcode/VOClabelcolormap.m.
func VOCColor(label uint8) color.RGBA {
	c := color.RGBA{A: 255}
	for shift := 7; label > 0; shift-- {
		c.R |= label & 1 << shift
		c.G |= label >> 1 & 1 << shift
		c.B |= label >> 2 & 1 << shift
		label >>= 3
	}
	return c
}

// MaskPalette has the colours of classes at their indices and VOC's elsewhere,
// so that a label can be written as a paletted PNG whose indices are the labels.
func MaskPalette(classes []Class) color.Palette {
	palette := make(color.Palette, 256)
	for i := range palette {
		palette[i] = VOCColor(uint8(i))
		if i < len(classes) {
			palette[i] = classes[i].Color
		}
	}
	return palette
}

// Overlay lays the colours of the labels over an image: opacity 0 leaves the
// image, 1 leaves the colours. Ignored pixels become white. Both must have the
// same size.
func Overlay(img *image.NRGBA, label *image.Gray, classes []Class, opacity float64) *image.NRGBA {
	palette := MaskPalette(classes)
	palette[Ignore] = color.RGBA{255, 255, 255, 255}
	bounds := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, bounds.Dx(), bounds.Dy()))
	alpha := uint32(opacity*256 + 0.5)
	mix := func(under, over uint8) uint8 {
		return uint8((uint32(under)*(256-alpha) + uint32(over)*alpha) >> 8)
	}
	for y := range bounds.Dy() {
		from := img.Pix[img.PixOffset(bounds.Min.X, bounds.Min.Y+y):]
		to := out.Pix[y*out.Stride:]
		labels := label.Pix[label.PixOffset(label.Rect.Min.X, label.Rect.Min.Y+y):]
		for x := range bounds.Dx() {
			c := palette[labels[x]].(color.RGBA)
			to[4*x] = mix(from[4*x], c.R)
			to[4*x+1] = mix(from[4*x+1], c.G)
			to[4*x+2] = mix(from[4*x+2], c.B)
			to[4*x+3] = 255
		}
	}
	return out
}
