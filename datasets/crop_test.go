package datasets

import (
	"image/color"
	"testing"

	"github.com/stretchr/testify/require"
)

var grey128 = color.RGBA{128, 128, 128, 255}

func TestCrop(t *testing.T) {
	fill := color.RGBA{1, 2, 3, 255}
	for name, c := range map[string]struct {
		from, window extent
		places       int // that a window can have
	}{
		"inside":       {extent{6, 9}, extent{4, 5}, 3 * 5},
		"whole":        {extent{6, 9}, extent{6, 9}, 1},
		"too low":      {extent{3, 9}, extent{5, 8}, 2},
		"too narrow":   {extent{6, 4}, extent{4, 7}, 3},
		"too small":    {extent{2, 3}, extent{5, 6}, 1},
		"single pixel": {extent{1, 1}, extent{3, 3}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			before := testSample(c.from, 1)
			seen := map[[2]int]bool{}
			for seed := range uint64(400) {
				after, err := Crop(c.window.h, c.window.w, fill)(testRNG(seed), before.clone())
				require.NoError(t, err)
				require.Equal(t, c.window.w, after.Image.Rect.Max.X)
				require.Equal(t, c.window.h, after.Image.Rect.Max.Y)
				require.Equal(t, after.Image.Rect, after.Label.Rect)
				top, left, found := findWindow(before, after, fill)
				require.True(t, found, "the crop is no window of the image")
				seen[[2]int{top, left}] = true
			}
			require.Len(t, seen, c.places, "every place must come up")
		})
	}
}

// findWindow tries all places, and compares pixel by pixel.
func findWindow(before, after Sample, fill color.RGBA) (top, left int, found bool) {
	size := before.Image.Rect.Size()
	matches := func(top, left int) bool {
		for y := range after.Image.Rect.Dy() {
			for x := range after.Image.Rect.Dx() {
				pixel, label := color.NRGBA{fill.R, fill.G, fill.B, 255}, uint8(Ignore)
				if top+y < size.Y && left+x < size.X {
					pixel, label = before.Image.NRGBAAt(left+x, top+y), before.Label.GrayAt(left+x, top+y).Y
				}
				if after.Image.NRGBAAt(x, y) != pixel || after.Label.GrayAt(x, y).Y != label {
					return false
				}
			}
		}
		return true
	}
	for top := range size.Y {
		for left := range size.X {
			if matches(top, left) {
				return top, left, true
			}
		}
	}
	return 0, 0, false
}

func TestCropRefuses(t *testing.T) {
	_, err := Crop(0, 4, grey128)(testRNG(1), testSample(extent{4, 4}, 1))
	require.EqualError(t, err, "crop to 0x4: sides must be 1 to 16384 pixels")

	s := testSample(extent{4, 4}, 1)
	s.Label = testSample(extent{4, 5}, 1).Label
	_, err = Crop(2, 2, grey128)(testRNG(1), s)
	require.EqualError(t, err, "crop: image and label differ in size: 4x4 and 4x5")
}
