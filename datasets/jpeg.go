package datasets

import (
	"image"
	"image/jpeg"
	"io"
)

// decodeJPEG gives the pixels that libjpeg gives, up to the rounding of the inverse
// DCT: at most ±1 in a plane, ±4 in a channel (docs/jpeg.md). Most published
// networks saw their images through libjpeg. Go's own conversion repeats each chroma
// sample 2x2 where libjpeg interpolates, which moves edges of colour by up to 46.
func decodeJPEG(r io.Reader) (image.Image, error) {
	img, err := jpeg.Decode(r)
	if m, ok := img.(*image.YCbCr); ok && err == nil {
		return fromYCbCr(m), nil
	}
	return img, err
}

// fromYCbCr converts to RGB with alpha 255 as libjpeg does by default: chroma
// sampled at half the rate in either direction is interpolated between the two
// nearest samples at 3:1, any other is repeated.
func fromYCbCr(m *image.YCbCr) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	cb, cr := newChroma(m, m.Cb), newChroma(m, m.Cr)
	for y := range h {
		luma := m.Y[m.YOffset(m.Rect.Min.X, m.Rect.Min.Y+y):][:w]
		toRGB(out.Pix[y*out.Stride:][:4*w], luma, cb.row(y), cr.row(y))
	}
	return out
}

// chroma gives a plane of chroma row by row at the size of the image.
type chroma struct {
	plane  []uint8
	stride int
	w, h   int // of the plane, without the padding of JPEG's blocks
	// across and down say how many pixels a sample spans.
	across, down int
	near, wide   []uint8 // a row after interpolating downwards, and across
}

func newChroma(m *image.YCbCr, plane []uint8) *chroma {
	c := &chroma{plane: plane[m.COffset(m.Rect.Min.X, m.Rect.Min.Y):], stride: m.CStride, across: 1, down: 1}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		c.across = 2
	case image.YCbCrSubsampleRatio420:
		c.across, c.down = 2, 2
	case image.YCbCrSubsampleRatio440:
		c.down = 2
	case image.YCbCrSubsampleRatio411:
		c.across = 4
	case image.YCbCrSubsampleRatio410:
		c.across, c.down = 4, 2
	}
	c.w, c.h = (m.Rect.Dx()+c.across-1)/c.across, (m.Rect.Dy()+c.down-1)/c.down
	c.wide = make([]uint8, c.w*c.across)
	c.near = make([]uint8, c.w)
	return c
}

// row gives at least as many samples as the image is wide, valid until the next call.
//
// Source: libjpeg-turbo, jdsample.c: fancy upsampling, its rounding that alternates
// and its exception for planes of one or two columns.
func (c *chroma) row(y int) []uint8 {
	near := c.line(y / c.down)
	far := c.line(y/c.down - 1 + y%2*2) // of the rows beside, the nearer to pixel row y
	switch {
	case c.across == 1 && c.down == 1:
		return near
	case c.across == 1:
		blendDown(c.near, near, far, uint16(1+y%2))
		return c.near
	case c.across == 2 && c.down == 1 && c.w > 2:
		blendAcross(c.wide, near)
	case c.across == 2 && c.down == 2 && c.w > 2:
		blendBoth(c.wide, near, far)
	default:
		for x := range c.wide {
			c.wide[x] = near[x/c.across]
		}
	}
	return c.wide
}

// line is row i of the plane; the first and the last go on for ever.
func (c *chroma) line(i int) []uint8 {
	return c.plane[min(max(i, 0), c.h-1)*c.stride:][:c.w]
}

func blendDown(dst, near, far []uint8, half uint16) {
	for i := range dst {
		dst[i] = uint8((3*uint16(near[i]) + uint16(far[i]) + half) >> 2)
	}
}

// blendAcross fills dst, twice as long as near, which has two samples or more.
func blendAcross(dst, near []uint8) {
	before, this := uint16(near[0]), uint16(near[0])
	for i, sample := range near[1:] {
		after := uint16(sample)
		pair := dst[2*i : 2*i+2 : 2*i+2]
		pair[0], pair[1] = uint8((3*this+before+1)>>2), uint8((3*this+after+2)>>2)
		before, this = this, after
	}
	pair := dst[len(dst)-2:]
	pair[0], pair[1] = uint8((3*this+before+1)>>2), uint8(this)
}

// blendBoth is blendAcross of rows blended at 3:1, rounded once.
func blendBoth(dst, near, far []uint8) {
	far = far[:len(near)]
	this := 3*uint16(near[0]) + uint16(far[0])
	before := this
	for i, sample := range near[1:] {
		after := 3*uint16(sample) + uint16(far[i+1])
		pair := dst[2*i : 2*i+2 : 2*i+2]
		pair[0], pair[1] = uint8((3*this+before+8)>>4), uint8((3*this+after+7)>>4)
		before, this = this, after
	}
	pair := dst[len(dst)-2:]
	pair[0], pair[1] = uint8((3*this+before+8)>>4), uint8((4*this+7)>>4)
}

// toRGB fills dst, 4 bytes for each of luma, by the formulas of JFIF with 16 bits of
// fraction. Red and blue are rounded before luma is added, as libjpeg does.
//
// Source: libjpeg-turbo, jdcolor.c.
func toRGB(dst, luma, cb, cr []uint8) {
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	dst = dst[:4*len(luma)]
	for i := range luma {
		y, b, r := int32(luma[i]), int32(cb[i])-128, int32(cr[i])-128
		pixel := dst[4*i : 4*i+4 : 4*i+4]
		pixel[0] = clampByte(y + (91881*r+1<<15)>>16)
		pixel[1] = clampByte(y + (-22554*b-46802*r+1<<15)>>16)
		pixel[2] = clampByte(y + (116130*b+1<<15)>>16)
		pixel[3] = 255
	}
}

func clampByte(v int32) uint8 { return uint8(min(max(v, 0), 255)) }
