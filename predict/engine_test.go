package predict_test

import (
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/device/devicetest"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/predict"
	"github.com/fcnx/fcnx/train"
)

// engine is a real network on XLA with random weights everywhere, so that every
// pixel in reach counts.
func engine(t *testing.T, net models.Config, resized bool) *train.Engine {
	t.Helper()
	config := train.Default()
	e, err := train.NewEngine(devicetest.Backend(t).Compute, train.EngineConfig{
		Net: net, Preprocess: config.Preprocess.Models(), Train: config.Train, Values: randomValues{net}, Resized: resized, Now: time.Now,
	})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

// randomValues are weights of a spread at which signals neither die nor explode.
type randomValues struct{ net models.Config }

func (v randomValues) find(path string) (models.Variable, bool) {
	for _, variable := range v.net.Variables() {
		if variable.Path() == path {
			return variable, true
		}
	}
	return models.Variable{}, false
}

func (v randomValues) Paths() (paths []string) {
	for _, variable := range v.net.Variables() {
		paths = append(paths, variable.Path())
	}
	return paths
}

func (v randomValues) Find(path string) (string, []int, bool) {
	variable, ok := v.find(path)
	return "F32", variable.Shape, ok
}

func (v randomValues) Read(path string, dst []byte) error {
	variable, _ := v.find(path)
	values := make([]float32, variable.Size())
	variable.Initial(7, values)
	rng := rand.New(rand.NewPCG(5, uint64(len(path))))
	for i := range values {
		if strings.HasPrefix(path, "score") || variable.Role == models.Bias {
			values[i] = float32(rng.NormFloat64()) / 2
		}
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(values[i]))
	}
	return nil
}

// blobs is an image with something to see in it at all scales.
func blobs(h, w int) *image.NRGBA {
	rng := rand.New(rand.NewPCG(1, uint64(h*w)))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / w), uint8(y * 255 / h), uint8(rng.Uint32()), 255})
		}
	}
	for range 60 {
		c := color.NRGBA{uint8(rng.Uint32()), uint8(rng.Uint32()), uint8(rng.Uint32()), 255}
		left, top := rng.IntN(w), rng.IntN(h)
		right, bottom := left+rng.IntN(w/4), top+rng.IntN(h/4)
		for y := top; y < min(bottom, h); y++ {
			for x := left; x < min(right, w); x++ {
				img.SetNRGBA(x, y, c)
			}
		}
	}
	return img
}

// run predicts one image, and returns its logits.
func run(t *testing.T, e *train.Engine, img *image.NRGBA, change func(*predict.Options)) []float32 {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "a.png"), t.TempDir()
	f, err := os.Create(in)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, img))
	require.NoError(t, f.Close())
	o := predict.Options{
		Out: out, Logits: true, Classes: make([]datasets.Class, 3), Multiple: 32, Batch: 1, Tile: predict.MinTile,
		Failed:   func(_ string, err error) { require.NoError(t, err) },
		Progress: func(int, int) {},
	}
	change(&o)
	_, err = predict.Run(t.Context(), e, []predict.Input{{Path: in, Name: "a"}}, o)
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join(out, "a.npy"))
	require.NoError(t, err)
	raw = raw[10+int(binary.LittleEndian.Uint16(raw[8:])):]
	logits := make([]float32, len(raw)/4)
	for i := range logits {
		logits[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	require.Len(t, logits, 3*img.Rect.Dx()*img.Rect.Dy())
	return logits
}

// agreement is the share of the logits that differ by less than a ten-thousandth of
// their spread over the image.
func agreement(t *testing.T, a, b []float32) float64 {
	t.Helper()
	require.Equal(t, len(a), len(b))
	spread := float64(slices.Max(a) - slices.Min(a))
	require.Positive(t, spread)
	near := 0
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) < 1e-4*spread {
			near++
		}
	}
	return float64(near) / float64(len(a))
}

// In tiles a large image is given the scores it is given whole, by the network that
// looks farthest. In the paper's geometry the last tiles are padded to the stride,
// which the whole image is not, and the pixels that see so far differ.
func TestTilesAgreeWithTheWholeImage(t *testing.T) {
	img := blobs(predict.MinTile+70, 100)
	for geometry, least := range map[string]float64{models.Same: 1, models.Paper: 0.8} {
		net := models.Config{Arch: "fcn8s", Encoder: "vgg19", Classes: 3, Width: 2, Head: 4, Upsample: models.Learned, Geometry: geometry}
		e := engine(t, net, false)
		tiles := func(side int) func(*predict.Options) {
			return func(o *predict.Options) {
				o.Tile = side
				if geometry == models.Paper {
					o.Multiple = 1
				}
			}
		}
		tiled := run(t, e, img, tiles(predict.MinTile))
		whole := run(t, e, img, tiles(2*predict.MinTile))
		share := agreement(t, whole, tiled)
		t.Logf("%s: %.5f agree", geometry, share)
		require.GreaterOrEqual(t, share, least, geometry)
	}
}

// What this package does to the scores of a resized image is what an evaluation does
// in its graph.
func TestResizedAgreesWithEvaluation(t *testing.T) {
	net := models.Config{Arch: "fcn16s", Encoder: "vgg11", Classes: 3, Width: 2, Head: 4, Upsample: models.Learned, Geometry: models.Same}
	img := blobs(150, 230)
	logits := run(t, engine(t, net, false), img, func(o *predict.Options) { o.Height, o.Width = 70, 100 })

	seen, err := datasets.Resize(70, 100)(nil, datasets.Sample{Image: img})
	require.NoError(t, err)
	b := &datasets.Batch{
		N: 1, H: 96, W: 128, Images: make([]uint8, 96*128*3), Sizes: []int32{70, 100},
		LabelH: 150, LabelW: 230, Labels: make([]uint8, 150*230), LabelSizes: []int32{150, 230},
	}
	for y := range 70 {
		for x := range 100 {
			copy(b.Images[(y*128+x)*3:][:3], seen.Image.Pix[seen.Image.PixOffset(x, y):])
		}
	}
	want, err := engine(t, net, true).Logits(b)
	require.NoError(t, err)
	require.InDelta(t, 1, agreement(t, want, logits), 0)
}
