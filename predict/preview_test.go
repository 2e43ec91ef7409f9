package predict

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/score"
)

var (
	sky  = color.RGBA{0, 0, 200, 255}
	road = color.RGBA{200, 0, 0, 255}
)

func previewClasses() []datasets.Class {
	return []datasets.Class{{Name: "sky", Color: sky}, {Name: "road", Color: road}}
}

// A small image is shown as it is.
func TestPreviewOfASmallImage(t *testing.T) {
	// A part of a larger image: its first pixel is not the first of its memory.
	whole := image.NewNRGBA(image.Rect(0, 0, 5, 4))
	for i := range whole.Pix {
		whole.Pix[i] = 255
	}
	whole.SetNRGBA(2, 1, color.NRGBA{10, 20, 30, 255})
	img := whole.SubImage(image.Rect(2, 1, 5, 3)).(*image.NRGBA)
	truth := image.NewGray(image.Rect(0, 0, 3, 2))
	truth.Pix = []uint8{datasets.Ignore, 0, 1, 0, 0, 1}

	preview := PreviewTruth(img, truth, previewClasses())
	require.Equal(t, image.Rect(0, 0, 6, 2), preview.Rect)
	require.Equal(t, color.RGBA{10, 20, 30, 255}, preview.RGBAAt(0, 0), "the image as it is")
	require.Equal(t, color.RGBA{255, 255, 255, 255}, preview.RGBAAt(2, 1))
	require.Equal(t, score.Unlabelled.Color(), preview.RGBAAt(3, 0))
	require.Equal(t, sky, preview.RGBAAt(4, 0))
	require.Equal(t, road, preview.RGBAAt(5, 1))

	prediction := image.NewGray(image.Rect(0, 0, 4, 3)).SubImage(truth.Rect).(*image.Gray) // in a padded batch
	prediction.SetGray(1, 0, color.Gray{Y: 1})
	prediction.SetGray(2, 0, color.Gray{Y: 1})
	errors, err := score.Errors(truth.Pix, []uint8{0, 1, 1, 0, 0, 0}, 2, 3)
	require.NoError(t, err)
	preview = PreviewResult(prediction, errors, previewClasses())
	require.Equal(t, image.Rect(0, 0, 6, 2), preview.Rect)
	require.Equal(t, sky, preview.RGBAAt(0, 0), "predicted where there is no truth too")
	require.Equal(t, road, preview.RGBAAt(1, 0))
	for at, outcome := range map[image.Point]score.Outcome{
		{X: 3, Y: 0}: score.Unlabelled, {X: 4, Y: 0}: score.NearBorder, {X: 5, Y: 0}: score.Right, {X: 3, Y: 1}: score.Right, {X: 5, Y: 1}: score.NearBorder,
	} {
		require.Equal(t, outcome.Color(), preview.RGBAAt(at.X, at.Y), "%v", at)
	}

	path := filepath.Join(t.TempDir(), "0.png")
	require.NoError(t, WritePreview(path, preview))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	back, err := png.Decode(file)
	require.NoError(t, err)
	require.Equal(t, color.RGBAModel, back.ColorModel(), "without an alpha channel")
	require.Equal(t, preview.Pix, back.(*image.RGBA).Pix)
}

// A large one is made smaller: photographs by the mean, labels by choice.
func TestPreviewSizes(t *testing.T) {
	for _, test := range []struct{ size, want image.Point }{
		{image.Pt(320, 320), image.Pt(640, 320)},
		{image.Pt(960, 720), image.Pt(640, 240)},
		{image.Pt(720, 960), image.Pt(480, 320)},
		{image.Pt(500, 375), image.Pt(640, 240)},
		{image.Pt(2000, 1), image.Pt(640, 1)},
		{image.Pt(1, 2000), image.Pt(2, 320)},
	} {
		img, truth := image.NewNRGBA(image.Rectangle{Max: test.size}), image.NewGray(image.Rectangle{Max: test.size})
		for i := range truth.Pix {
			truth.Pix[i] = uint8(i % 2)
			img.Pix[4*i], img.Pix[4*i+3] = uint8(i%2)*200, 255
		}
		preview := PreviewTruth(img, truth, previewClasses())
		require.Equal(t, test.want, preview.Rect.Size())
		for y := range test.want.Y {
			for x := range test.want.X / 2 {
				require.Contains(t, []color.RGBA{sky, road}, preview.RGBAAt(test.want.X/2+x, y))
			}
		}
		if test.size.X == 960 {
			require.InDelta(t, 100, preview.RGBAAt(100, 100).R, 35, "every third column alone would be 0 or 200")
		}
	}
}

func BenchmarkPreview(b *testing.B) {
	source, err := datasets.Open("shapes?n=1&size=720x960", datasets.Train)
	require.NoError(b, err)
	sample, err := source.At(0)
	require.NoError(b, err)
	path := filepath.Join(b.TempDir(), "0.png")
	for b.Loop() {
		errors, err := score.Errors(sample.Label.Pix, sample.Label.Pix, 720, 960)
		require.NoError(b, err)
		require.NoError(b, WritePreview(path, PreviewResult(sample.Label, errors, source.Classes())))
	}
	info, err := os.Stat(path)
	require.NoError(b, err)
	b.ReportMetric(float64(info.Size()), "file-bytes")
}
