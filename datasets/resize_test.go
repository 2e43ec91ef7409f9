package datasets

import (
	"fmt"
	"image"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/draw"

	"github.com/fcnx/fcnx/memtest"
)

var resizeCases = []struct{ from, to extent }{
	{extent{360, 480}, extent{192, 256}},
	{extent{37, 53}, extent{11, 90}},
	{extent{64, 64}, extent{32, 32}},
	{extent{7, 5}, extent{21, 20}},
	{extent{1, 1}, extent{4, 6}},
	{extent{50, 60}, extent{1, 1}},
	{extent{200, 3}, extent{3, 200}},
	{extent{33, 31}, extent{32, 32}},
}

// The general scaler of x/image computes in float64 and drops the low byte of 16
// bits where we round; so the two may differ by one, and never by more.
func TestResizeImageAgreesWithImageDraw(t *testing.T) {
	for _, c := range resizeCases {
		t.Run(fmt.Sprint(c.from, " to ", c.to), func(t *testing.T) {
			src := testSample(c.from, 1).Image
			got := resizeImage(src, c.to.h, c.to.w)
			want := slowResize(src, c.to.h, c.to.w)
			require.Equal(t, want.Rect, got.Rect)
			for i := range want.Pix {
				require.InDelta(t, want.Pix[i], got.Pix[i], 1, "byte %d", i)
			}
		})
	}
}

func slowResize(src *image.NRGBA, h, w int) *image.RGBA {
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(dst, dst.Rect, src, src.Rect, draw.Src, nil)
	return dst
}

// slowTent is the definition: a tent over real numbers, in two dimensions at once.
func slowTent(src *image.NRGBA, h, w, y, x, channel int) float64 {
	from := src.Rect.Size()
	weight := func(new, old, to, from int) float64 {
		scale := float64(from) / float64(to)
		distance := (float64(new)+0.5)*scale - (float64(old) + 0.5)
		return max(0, 1-math.Abs(distance)/max(1, scale))
	}
	var sum, total float64
	for v := range from.Y {
		for u := range from.X {
			k := weight(y, v, h, from.Y) * weight(x, u, w, from.X)
			sum += k * float64(src.Pix[v*src.Stride+4*u+channel])
			total += k
		}
	}
	return sum / total
}

// The result is the exact one rounded: off by half a unit, and by what 16 bits of
// weight and 8 of the middle lose.
func TestResizeImageAgreesWithDefinition(t *testing.T) {
	for _, c := range resizeCases[1:] {
		t.Run(fmt.Sprint(c.from, " to ", c.to), func(t *testing.T) {
			src := testSample(c.from, 2).Image
			got := resizeImage(src, c.to.h, c.to.w)
			for y := range c.to.h {
				for x := range c.to.w {
					for channel := range 3 {
						want := slowTent(src, c.to.h, c.to.w, y, x, channel)
						require.InDelta(t, want, got.Pix[y*got.Stride+4*x+channel], 0.504)
					}
				}
			}
		})
	}
}

func TestResizeKeepsEvenSurfaces(t *testing.T) {
	for _, c := range resizeCases {
		for _, value := range []uint8{0, 1, 127, 254, 255} {
			src := image.NewNRGBA(image.Rect(0, 0, c.from.w, c.from.h))
			for i := range src.Pix {
				src.Pix[i] = value
			}
			got := resizeImage(src, c.to.h, c.to.w)
			for i, v := range got.Pix {
				if i%4 < 3 {
					require.Equal(t, value, v)
				}
			}
		}
	}
}

// A part of a larger image has a stride of its own.
func TestResizeOfSubImage(t *testing.T) {
	whole := testSample(extent{20, 30}, 3)
	window := image.Rect(4, 5, 21, 18)
	part := Sample{
		Image: whole.Image.SubImage(window).(*image.NRGBA),
		Label: whole.Label.SubImage(window).(*image.Gray),
	}
	alone := Sample{Image: image.NewNRGBA(image.Rect(0, 0, 17, 13)), Label: image.NewGray(image.Rect(0, 0, 17, 13))}
	draw.Copy(alone.Image, image.Point{}, whole.Image, window, draw.Src, nil)
	draw.Copy(alone.Label, image.Point{}, whole.Label, window, draw.Src, nil)

	want, err := Resize(9, 23)(nil, alone)
	require.NoError(t, err)
	got, err := Resize(9, 23)(nil, part)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestResizeLabel(t *testing.T) {
	for _, c := range resizeCases {
		src := testSample(c.from, 4).Label
		got := resizeLabel(src, c.to.h, c.to.w)
		for y := range c.to.h {
			for x := range c.to.w {
				centreY := (float64(y) + 0.5) * float64(c.from.h) / float64(c.to.h)
				centreX := (float64(x) + 0.5) * float64(c.from.w) / float64(c.to.w)
				require.Equal(t, src.GrayAt(int(centreX), int(centreY)), got.GrayAt(x, y))
			}
		}
	}
}

func TestScaleJitter(t *testing.T) {
	smallest, largest := math.Inf(1), 0.0
	for seed := range uint64(300) {
		before := testSample(extent{40, 100}, seed)
		after, err := ScaleJitter(0.5, 2)(testRNG(seed), before)
		require.NoError(t, err)
		size := after.Image.Rect.Size()
		require.Equal(t, size, after.Label.Rect.Size())
		factor := float64(size.X) / 100
		require.InDelta(t, 40*factor, size.Y, 0.5+0.2, "one factor for both sides")
		smallest, largest = min(smallest, factor), max(largest, factor)
	}
	require.InDelta(t, 0.5, smallest, 0.03)
	require.InDelta(t, 2, largest, 0.03)

	tiny, err := ScaleJitter(0.01, 0.01)(testRNG(1), testSample(extent{3, 3}, 1))
	require.NoError(t, err)
	require.Equal(t, image.Pt(1, 1), tiny.Image.Rect.Size(), "never less than a pixel")
}

func TestResizeRefuses(t *testing.T) {
	for _, c := range []struct {
		transform Transform
		want      string
	}{
		{Resize(0, 5), "resize to 0x5: sides must be 1 to 16384 pixels"},
		{Resize(5, 1<<20), "resize to 5x1048576: sides must be 1 to 16384 pixels"},
		{ScaleJitter(0, 1), "scale [0, 1]: give two positive factors, the smaller one first"},
		{ScaleJitter(2, 1), "scale [2, 1]: give two positive factors, the smaller one first"},
		{ScaleJitter(math.NaN(), 1), "scale [NaN, 1]: give two positive factors, the smaller one first"},
		{ScaleJitter(5000, 5000), "resize to 20000x20000: sides must be 1 to 16384 pixels"},
	} {
		_, err := c.transform(testRNG(1), testSample(extent{4, 4}, 1))
		require.EqualError(t, err, c.want)
	}
}

// Weights must be inside the image, sum to exactly one, and never be negative
// (a negative one would wrap around to four billion).
func FuzzNewTaps(f *testing.F) {
	memtest.Cap(f)
	f.Add(480, 256)
	f.Add(1, 16384)
	f.Add(16384, 1)
	f.Add(3, 2)
	f.Fuzz(func(t *testing.T, from, to int) {
		if from < 1 || to < 1 || from > 20000 || to > 2000 {
			return
		}
		for x, tap := range newTaps(from, to) {
			sum := 0
			for _, weight := range tap.weights {
				require.LessOrEqual(t, weight, uint32(weightOne))
				sum += int(weight)
			}
			require.Equal(t, weightOne, sum, "new pixel %d", x)
			require.GreaterOrEqual(t, tap.first, 0)
			require.LessOrEqual(t, tap.first+len(tap.weights), from)
		}
	})
}
