package datasets

import (
	"image"
	"io"

	"golang.org/x/image/webp"
)

// decodeWebP gives the pixels that libwebp gives, without alpha. The decoder of
// golang.org/x/image has the right planes, but hands out those of a lossy image as
// JPEG's, of which 0 to 255 is black to white, where 16 to 235 is meant: 9 levels
// off on average.
func decodeWebP(r io.Reader) (image.Image, error) {
	img, err := webp.Decode(r)
	if err != nil {
		return nil, err
	}
	switch m := img.(type) {
	case *image.YCbCr:
		return fromYCbCr(m, webpRounding, videoToRGB), nil
	case *image.NYCbCrA:
		return fromYCbCr(&m.YCbCr, webpRounding, videoToRGB), nil
	}
	return img, nil
}

// videoToRGB fills dst, 4 bytes for each of luma, by BT.601's formulas for values of
// 16 to 235 and 16 to 240, in 14 bits of fraction of which 8 are cut off early.
//
// Source: libwebp, yuv.h.
func videoToRGB(dst, luma, cb, cr []uint8) {
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	dst = dst[:4*len(luma)]
	for i := range luma {
		y, b, r := int32(luma[i])*19077>>8, int32(cb[i]), int32(cr[i])
		pixel := dst[4*i : 4*i+4 : 4*i+4]
		pixel[0] = clampByte((y + r*26149>>8 - 14234) >> 6)
		pixel[1] = clampByte((y - b*6419>>8 - r*13320>>8 + 8708) >> 6)
		pixel[2] = clampByte((y + b*33050>>8 - 17685) >> 6)
		pixel[3] = 255
	}
}
