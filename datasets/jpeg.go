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
		return fromYCbCr(m, jpegRounding, toRGB), nil
	}
	return img, err
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
