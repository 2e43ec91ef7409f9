package predict

import (
	"image"
	"image/color"
	"image/png"
	"io"

	"golang.org/x/image/draw"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/score"
)

// PreviewSide is the longer side of each half of a preview at most, in pixels.
const PreviewSide = 320

// PreviewTruth is a small picture of an image (left) and its truth (right), which
// have the same size. What is not labelled is grey.
func PreviewTruth(img *image.NRGBA, truth *image.Gray, classes []datasets.Class) *image.RGBA {
	preview, left, right := newPreview(truth.Rect.Size())
	// Scaled down, this kernel is as wide as a pixel of the result: every pixel of the
	// image counts.
	draw.BiLinear.Scale(preview, left, img, img.Rect, draw.Src, nil)
	paint(preview, right, truth, classes)
	return preview
}

// PreviewResult is a small picture of a prediction (left) and what became of each
// pixel (right), in the colours of the outcomes. Both have the size of the truth.
func PreviewResult(prediction *image.Gray, errors score.ErrorMap, classes []datasets.Class) *image.RGBA {
	preview, left, right := newPreview(prediction.Rect.Size())
	paint(preview, left, prediction, classes)
	palette := make(color.Palette, score.Unlabelled+1)
	for o := range palette {
		palette[o] = score.Outcome(o).Color()
	}
	size := prediction.Rect.Size()
	outcomes := image.NewPaletted(image.Rectangle{Max: size}, palette)
	for i, o := range errors.Pixels {
		outcomes.Pix[i] = uint8(o)
	}
	draw.NearestNeighbor.Scale(preview, right, outcomes, outcomes.Rect, draw.Src, nil)
	return preview
}

// newPreview makes room for two halves, each of the given size or, if that is too
// large, of the same proportions.
func newPreview(size image.Point) (preview *image.RGBA, left, right image.Rectangle) {
	if longer := max(size.X, size.Y); longer > PreviewSide {
		size.X = max(1, (size.X*PreviewSide+longer/2)/longer)
		size.Y = max(1, (size.Y*PreviewSide+longer/2)/longer)
	}
	left = image.Rectangle{Max: size}
	right = left.Add(image.Pt(size.X, 0))
	return image.NewRGBA(left.Union(right)), left, right
}

// paint draws labels in the colours of their classes. A label is never mixed with
// another.
func paint(preview *image.RGBA, half image.Rectangle, labels *image.Gray, classes []datasets.Class) {
	palette := datasets.MaskPalette(classes)
	palette[datasets.Ignore] = score.Unlabelled.Color()
	// Same bytes, read as indices instead of greys.
	paletted := &image.Paletted{Pix: labels.Pix, Stride: labels.Stride, Rect: labels.Rect, Palette: palette}
	draw.NearestNeighbor.Scale(preview, half, paletted, labels.Rect, draw.Src, nil)
}

// WritePreview puts a preview at path as a PNG file, all of it or nothing.
func WritePreview(path string, preview *image.RGBA) error {
	return replace(path, func(w io.Writer) error { return png.Encode(w, preview) })
}
