package predict

import (
	"image"
	"image/draw"

	"github.com/fcnx/fcnx/datasets"
)

// opacity is how much of an overlay is the mask's colour.
const opacity = 0.6

// stripGap separates the three parts of a strip, in pixels.
const stripGap = 4

// Strip puts an image, the truth and a prediction side by side for a person to
// compare, the latter two as overlays. All have the same size. A truth that is nil
// is left out; where it is [datasets.Ignore] it is white.
func Strip(img *image.NRGBA, truth, prediction *image.Gray, classes []datasets.Class) *image.NRGBA {
	parts := []*image.NRGBA{img}
	if truth != nil {
		parts = append(parts, datasets.Overlay(img, truth, classes, opacity))
	}
	parts = append(parts, datasets.Overlay(img, prediction, classes, opacity))

	size := img.Rect.Size()
	strip := image.NewNRGBA(image.Rect(0, 0, len(parts)*(size.X+stripGap)-stripGap, size.Y))
	draw.Draw(strip, strip.Rect, image.White, image.Point{}, draw.Src)
	for i, part := range parts {
		left := i * (size.X + stripGap)
		draw.Draw(strip, image.Rect(left, 0, left+size.X, size.Y), part, part.Rect.Min, draw.Src)
	}
	return strip
}
