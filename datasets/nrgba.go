package datasets

import (
	"image"
	"image/color"
	"image/draw"
)

// toNRGBA drops alpha and starts the bounds at (0,0). It takes over the memory
// of img where the pixels are right already.
func toNRGBA(img image.Image) *image.NRGBA {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	switch m := img.(type) {
	case *image.NRGBA:
		return opaque(&image.NRGBA{Pix: m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], Stride: m.Stride, Rect: image.Rect(0, 0, w, h)})
	case *image.RGBA:
		// Decoders give this type for images without alpha only, and where alpha
		// is 255 the bytes of RGBA and NRGBA are the same.
		return opaque(&image.NRGBA{Pix: m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], Stride: m.Stride, Rect: image.Rect(0, 0, w, h)})
	case *image.Paletted:
		return fromPaletted(m)
	case *image.NRGBA64:
		// The high byte of each channel; draw would blend with alpha.
		out := image.NewNRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			row := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]
			for i := range 4 * w {
				out.Pix[y*out.Stride+i] = row[2*i]
			}
		}
		return opaque(out)
	}
	// What is left is opaque, and draw has fast paths from YCbCr, grey and CMYK to
	// RGBA, but none to NRGBA.
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Rect, img, b.Min, draw.Src)
	return opaque(&image.NRGBA{Pix: out.Pix, Stride: out.Stride, Rect: out.Rect})
}

func opaque(m *image.NRGBA) *image.NRGBA {
	for y := range m.Rect.Dy() {
		row := m.Pix[y*m.Stride:][:4*m.Rect.Dx()]
		for i := 3; i < len(row); i += 4 {
			row[i] = 255
		}
	}
	return m
}

func fromPaletted(m *image.Paletted) *image.NRGBA {
	b := m.Bounds()
	// 256 entries, so that no index of a byte is outside.
	var palette [256]color.NRGBA
	for i, c := range m.Palette {
		palette[i] = color.NRGBAModel.Convert(c).(color.NRGBA)
	}
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		from := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):][:b.Dx()]
		to := out.Pix[y*out.Stride:]
		for x, index := range from {
			c := palette[index]
			to[4*x], to[4*x+1], to[4*x+2], to[4*x+3] = c.R, c.G, c.B, 255
		}
	}
	return out
}
