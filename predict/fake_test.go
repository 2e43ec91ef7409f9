package predict

import (
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
)

// fake is a network that computes little and notices much: the score of a pixel
// depends on pixels at the very end of what a real network looks at, on where the
// pixel is on the grid of the poolings, and on nothing that is padding.
type fake struct {
	classes int
	shapes  map[[3]int]int // batches of each N, H, W
	err     error
}

func newFake() *fake { return &fake{classes: 3, shapes: map[[3]int]int{}} }

func (f *fake) Logits(b *datasets.Batch) ([]float32, error) {
	f.shapes[[3]int{b.N, b.H, b.W}]++
	if b.LabelH != b.H || b.LabelW != b.W {
		panic("a prediction is asked for at another size than the images have")
	}
	logits := make([]float32, 0, b.N*f.classes*b.H*b.W)
	for n := range b.N {
		rows, cols := int(b.Sizes[2*n]), int(b.Sizes[2*n+1])
		for c := range f.classes {
			for y := range b.H {
				for x := range b.W {
					v := y%stride + 2*(x%stride)
					for _, at := range [][2]int{{y, x}, {y - far, x}, {y + far, x}, {y, x - far}, {y, x + far}} {
						if 0 <= at[0] && at[0] < rows && 0 <= at[1] && at[1] < cols {
							v += int(b.Images[((n*b.H+at[0])*b.W+at[1])*3+c])
						}
					}
					logits = append(logits, float32(v))
				}
			}
		}
	}
	return logits, f.err
}

// far is the distance of the farthest pixel that counts.
const far = reach - 1

func (f *fake) Masks(b *datasets.Batch) ([]uint8, error) {
	logits, err := f.Logits(b)
	masks := make([]uint8, b.N*b.H*b.W)
	plane := b.H * b.W
	for n := range b.N {
		for i := range plane {
			highest := math.Inf(-1)
			for c := range f.classes {
				if v := float64(logits[(n*f.classes+c)*plane+i]); v > highest {
					highest = v
					masks[n*plane+i] = uint8(c)
				}
			}
		}
	}
	return masks, err
}

// alone is what the fake says of one image that is seen as a whole.
func (f *fake) alone(img *image.NRGBA) []float32 {
	h, w := img.Rect.Dy(), img.Rect.Dx()
	b := &datasets.Batch{N: 1, H: h, W: w, LabelH: h, LabelW: w, Sizes: []int32{int32(h), int32(w)}}
	for y := range h {
		for x := range w {
			b.Images = append(b.Images, img.Pix[img.PixOffset(x, y):][:3]...)
		}
	}
	logits, _ := f.Logits(b)
	return logits
}

func threeClasses() []datasets.Class {
	return []datasets.Class{
		{Name: "sky", Color: color.RGBA{0, 0, 200, 255}},
		{Name: "road", Color: color.RGBA{100, 100, 100, 255}},
		{Name: "tree", Color: color.RGBA{0, 200, 0, 255}},
	}
}

// noise is an image that is unlike itself everywhere.
func noise(h, w int) *image.NRGBA {
	rng := rand.New(rand.NewPCG(uint64(h), uint64(w)))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.Uint32())
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

func saveImage(t *testing.T, path string, img image.Image) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, img))
	require.NoError(t, f.Close())
}

func loadPNG(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	return img
}
