package predict

import (
	"image"
	"image/color"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
)

func TestStrip(t *testing.T) {
	classes := []datasets.Class{{Name: "sky", Color: color.RGBA{0, 0, 200, 255}}, {Name: "road", Color: color.RGBA{200, 0, 0, 255}}}
	// A part of a larger image: its first pixel is not the first of its memory.
	whole := image.NewNRGBA(image.Rect(0, 0, 5, 4))
	for i := range whole.Pix {
		whole.Pix[i] = 100
	}
	img := whole.SubImage(image.Rect(2, 1, 5, 3)).(*image.NRGBA)
	truth := image.NewGray(image.Rect(0, 0, 3, 2))
	truth.Pix[0] = datasets.Ignore
	prediction := image.NewGray(truth.Rect)
	prediction.Pix[5] = 1

	strip := Strip(img, truth, prediction, classes)
	require.Equal(t, image.Rect(0, 0, 3*3+2*stripGap, 2), strip.Rect)
	require.Equal(t, color.NRGBA{100, 100, 100, 100}, strip.NRGBAAt(0, 0), "the image as it is")
	require.Equal(t, color.NRGBA{255, 255, 255, 255}, strip.NRGBAAt(3, 0), "the gap")
	require.Equal(t, color.NRGBA{193, 193, 193, 255}, strip.NRGBAAt(3+stripGap, 0), "ignored in the truth")
	require.Equal(t, color.NRGBA{39, 39, 160, 255}, strip.NRGBAAt(2*(3+stripGap), 0), "class 0 predicted")
	require.Equal(t, color.NRGBA{160, 39, 39, 255}, strip.NRGBAAt(2*(3+stripGap)+2, 1), "class 1 predicted")

	require.Equal(t, image.Rect(0, 0, 2*3+stripGap, 2), Strip(img, nil, prediction, classes).Rect)
}
