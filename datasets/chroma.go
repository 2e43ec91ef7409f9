package datasets

import "image"

// fromYCbCr converts to RGB with alpha 255: chroma sampled at half the rate in either
// direction is interpolated between the two nearest samples at 3:1, any other is
// repeated, and convert fills a row, 4 bytes for each sample of luma.
func fromYCbCr(m *image.YCbCr, r rounding, convert func(dst, luma, cb, cr []uint8)) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	cb, cr := newChroma(m, m.Cb, r), newChroma(m, m.Cr, r)
	for y := range h {
		luma := m.Y[m.YOffset(m.Rect.Min.X, m.Rect.Min.Y+y):][:w]
		convert(out.Pix[y*out.Stride:][:4*w], luma, cb.row(y), cr.row(y))
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
	rounding     rounding
	near, wide   []uint8 // a row after interpolating downwards, and across
}

// rounding is where libraries interpolate 2x2 differently.
type rounding struct {
	odd    uint16 // sixteenths added in odd columns before fractions are cut off; in even ones it is 8
	narrow bool   // planes of one or two columns are interpolated too
}

// jpegRounding is libjpeg's, which alternates so that errors cancel; webpRounding is libwebp's.
var (
	jpegRounding = rounding{odd: 7}
	webpRounding = rounding{odd: 8, narrow: true}
)

func newChroma(m *image.YCbCr, plane []uint8, r rounding) *chroma {
	c := &chroma{plane: plane[m.COffset(m.Rect.Min.X, m.Rect.Min.Y):], stride: m.CStride, across: 1, down: 1, rounding: r}
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
// Source: libjpeg-turbo, jdsample.c ("fancy upsampling") and libwebp, upsampling.c.
func (c *chroma) row(y int) []uint8 {
	near := c.line(y / c.down)
	far := c.line(y/c.down - 1 + y%2*2) // of the rows beside, the nearer to pixel row y
	narrow := c.w <= 2 && !c.rounding.narrow
	switch {
	case c.across == 1 && c.down == 1:
		return near
	case c.across == 1:
		blendDown(c.near, near, far, uint16(1+y%2))
		return c.near
	case c.across == 2 && c.down == 1 && !narrow:
		blendAcross(c.wide, near)
	case c.across == 2 && c.down == 2 && !narrow:
		blendBoth(c.wide, near, far, c.rounding.odd)
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

// blendAcross fills dst, twice as long as near, which has a sample or more.
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
func blendBoth(dst, near, far []uint8, odd uint16) {
	far = far[:len(near)]
	this := 3*uint16(near[0]) + uint16(far[0])
	before := this
	for i, sample := range near[1:] {
		after := 3*uint16(sample) + uint16(far[i+1])
		pair := dst[2*i : 2*i+2 : 2*i+2]
		pair[0], pair[1] = uint8((3*this+before+8)>>4), uint8((3*this+after+odd)>>4)
		before, this = this, after
	}
	pair := dst[len(dst)-2:]
	pair[0], pair[1] = uint8((3*this+before+8)>>4), uint8((4*this+odd)>>4)
}

func clampByte(v int32) uint8 { return uint8(min(max(v, 0), 255)) }
