package datasets

import "image"

// turns tells whether an orientation makes a row of what is stored a column.
func turns(orientation int) bool { return orientation >= 5 && orientation <= 8 }

// upright gives an image as its EXIF orientation means it to be seen: 2 and 4 mirror,
// 3 turns by half, 5 to 8 make rows of columns. Any other number leaves it as it is.
//
// Source: Exif 2.3, 4.6.4, which says where the first row and column are seen.
func upright(img *image.NRGBA, orientation int) *image.NRGBA {
	if orientation < 2 || orientation > 8 {
		return img
	}
	h, w := img.Rect.Dy(), img.Rect.Dx()
	outH, outW := h, w
	if turns(orientation) {
		outH, outW = w, h
	}
	out := image.NewNRGBA(image.Rect(0, 0, outW, outH))
	for y := range h {
		row := img.Pix[y*img.Stride:][:4*w]
		for x := range w {
			toY, toX := y, x
			switch orientation {
			case 2:
				toX = w - 1 - x
			case 3:
				toY, toX = h-1-y, w-1-x
			case 4:
				toY = h - 1 - y
			case 5:
				toY, toX = x, y
			case 6:
				toY, toX = x, h-1-y
			case 7:
				toY, toX = w-1-x, h-1-y
			case 8:
				toY, toX = w-1-x, y
			}
			*(*[4]uint8)(out.Pix[toY*out.Stride+4*toX:]) = [4]uint8(row[4*x:])
		}
	}
	return out
}
