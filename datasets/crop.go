package datasets

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
)

// Crop cuts a window of h rows and w columns out of image and label, at a random
// place inside the image. Where the image is smaller than the window it lies at
// the top left, the rest of the image is filled with fill, and the label with
// [Ignore]. Give the mean colour of the training set as fill: after
// normalisation it is the zero that convolutions pad with.
func Crop(h, w int, fill color.RGBA) Transform {
	return func(rng *rand.Rand, s Sample) (Sample, error) {
		if h < 1 || w < 1 || h > maxSide || w > maxSide {
			return s, fmt.Errorf("crop to %dx%d: sides must be 1 to %d pixels", h, w, maxSide)
		}
		size := s.Image.Rect.Size()
		if s.Label != nil && s.Label.Rect.Size() != size {
			return s, fmt.Errorf("crop: image and label differ in size: %dx%d and %dx%d",
				size.Y, size.X, s.Label.Rect.Dy(), s.Label.Rect.Dx())
		}
		top := rng.IntN(max(0, size.Y-h) + 1)
		left := rng.IntN(max(0, size.X-w) + 1)
		rows, columns := min(h, size.Y), min(w, size.X)

		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		if rows < h || columns < w {
			fillImage(img, fill)
		}
		for y := range rows {
			copy(img.Pix[y*img.Stride:][:4*columns], s.Image.Pix[(top+y)*s.Image.Stride+4*left:])
		}
		s.Image = img
		if s.Label == nil {
			return s, nil
		}
		label := newIgnored(h, w)
		for y := range rows {
			copy(label.Pix[y*label.Stride:][:columns], s.Label.Pix[(top+y)*s.Label.Stride+left:])
		}
		s.Label = label
		return s, nil
	}
}

func fillImage(img *image.NRGBA, c color.RGBA) {
	for i := 0; i < len(img.Pix); i += 4 {
		*(*[4]uint8)(img.Pix[i:]) = [4]uint8{c.R, c.G, c.B, 255}
	}
}

// newIgnored is a label that says nothing.
func newIgnored(h, w int) *image.Gray {
	label := image.NewGray(image.Rect(0, 0, w, h))
	fillIgnore(label.Pix)
	return label
}

func fillIgnore(labels []uint8) {
	for i := range labels {
		labels[i] = Ignore
	}
}
