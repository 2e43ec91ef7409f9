package predict

import (
	"context"
	"errors"
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
)

// options writes to a new directory, and lists the files that failed.
func options(t *testing.T) (o Options, failed *[]string) {
	failed = new([]string)
	return Options{
		Out: t.TempDir(), Classes: threeClasses(), Multiple: 32, Batch: 1, Tile: MinTile,
		Failed:   func(path string, _ error) { *failed = append(*failed, filepath.Base(path)) },
		Progress: func(int, int) {},
	}, failed
}

// requirePrediction compares all that was written for an image with what the fake says of
// it when it sees the whole of it alone.
func requirePrediction(t *testing.T, o Options, name string, img *image.NRGBA) {
	t.Helper()
	want := newFake().alone(img)
	h, w := img.Rect.Dy(), img.Rect.Dx()
	mask := loadPNG(t, filepath.Join(o.Out, name+".png")).(*image.Paletted)
	require.Equal(t, img.Rect, mask.Rect)
	require.Equal(t, threeClasses()[1].Color, mask.Palette[1])
	highest := make([]uint8, h*w)
	best([][]float32{want[:h*w], want[h*w : 2*h*w], want[2*h*w:]}, highest)
	require.Equal(t, highest, mask.Pix, name)

	label := &image.Gray{Pix: highest, Stride: w, Rect: img.Rect}
	if o.Overlay {
		overlay := loadPNG(t, filepath.Join(o.Out, name+"_overlay.png"))
		wanted := datasets.Overlay(img, label, threeClasses(), opacity)
		for _, p := range []image.Point{{0, 0}, {w - 1, h - 1}, {w / 2, h / 3}} {
			require.Equal(t, color4(wanted, p), color4(overlay, p), "%s at %v", name, p)
		}
	} else {
		require.NoFileExists(t, filepath.Join(o.Out, name+"_overlay.png"))
	}
	if o.Logits {
		_, values := readNPY(t, filepath.Join(o.Out, name+".npy"))
		require.Equal(t, want, values)
	} else {
		require.NoFileExists(t, filepath.Join(o.Out, name+".npy"))
	}
}

func color4(img image.Image, p image.Point) [4]uint32 {
	r, g, b, a := img.At(p.X, p.Y).RGBA()
	return [4]uint32{r, g, b, a}
}

// Images of all sizes, in batches and in tiles, are predicted as if each were alone
// and seen at once.
func TestRun(t *testing.T) {
	sizes := map[string][2]int{
		"a": {40, 50}, "b": {33, 61}, "sub/c": {64, 64}, "sub/d": {1, 1},
		"wide": {50, MinTile + 1}, "high": {2*MinTile + 100, 40}, "both": {MinTile + 1, MinTile + 40},
	}
	for _, c := range []struct {
		batch  int
		others bool // than masks
	}{{1, false}, {3, true}} {
		o, failed := options(t)
		o.Batch, o.Logits, o.Overlay = c.batch, c.others, c.others
		in := t.TempDir()
		for name, size := range sizes {
			saveImage(t, filepath.Join(in, name+".png"), noise(size[0], size[1]))
		}
		inputs, err := Inputs([]string{in}, o.Out)
		require.NoError(t, err)
		network := newFake()
		summary, err := Run(t.Context(), network, inputs, o)
		require.NoError(t, err)
		require.Equal(t, Summary{Done: len(sizes)}, summary)
		require.Empty(t, *failed)
		for name, size := range sizes {
			requirePrediction(t, o, name, noise(size[0], size[1]))
		}
		for shape := range network.shapes {
			require.LessOrEqual(t, max(shape[1], shape[2]), MinTile)
			require.Equal(t, c.batch, shape[0])
			require.Zero(t, shape[1]%32+shape[2]%32)
		}
		require.Empty(t, globAll(t, o.Out, "*.tmp"))
	}
}

func globAll(t *testing.T, dir, pattern string) (found []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if ok, _ := filepath.Match(pattern, filepath.Base(path)); ok {
			found = append(found, path)
		}
		return err
	}))
	return found
}

// A network that sees a fixed size has its scores stretched back.
func TestRunResized(t *testing.T) {
	o, _ := options(t)
	o.Height, o.Width, o.Logits, o.Batch = 40, 48, true, 2
	in := t.TempDir()
	images := map[string]*image.NRGBA{"small": noise(20, 30), "large": noise(90, MinTile+200), "same": noise(40, 48)}
	for name, img := range images {
		saveImage(t, filepath.Join(in, name+".png"), img)
	}
	inputs, err := Inputs([]string{in}, o.Out)
	require.NoError(t, err)
	network := newFake()
	_, err = Run(t.Context(), network, inputs, o)
	require.NoError(t, err)
	require.Equal(t, map[[3]int]int{{2, 64, 64}: 2}, network.shapes)
	for name, img := range images {
		sample, err := datasets.Resize(o.Height, o.Width)(nil, datasets.Sample{Image: noise(img.Rect.Dy(), img.Rect.Dx())})
		require.NoError(t, err)
		seen := scoresOf(network.alone(sample.Image), 0, 3, 40, 48, 40, 48)
		shape, values := readNPY(t, filepath.Join(o.Out, name+".npy"))
		h, w := img.Rect.Dy(), img.Rect.Dx()
		require.Equal(t, shape, map[string]string{"small": "(3, 20, 30)", "large": "(3, 90, 840)", "same": "(3, 40, 48)"}[name])
		for _, at := range [][2]int{{0, 0}, {h - 1, w - 1}, {h / 2, w / 3}} {
			for c := range 3 {
				require.InDelta(t, stretched(seen, c, at[0], at[1], h, w), float64(values[(c*h+at[0])*w+at[1]]), 1e-3)
			}
		}
		require.Equal(t, img.Rect, loadPNG(t, filepath.Join(o.Out, name+".png")).Bounds())
	}
}

// Files that cannot be used are named, and the others are done.
func TestRunGoesOnPastBrokenFiles(t *testing.T) {
	for _, resized := range []bool{false, true} {
		o, failed := options(t)
		o.Overlay = true
		if resized {
			o.Height, o.Width = 32, 32
		}
		in := t.TempDir()
		for _, name := range []string{"a", "b", "c"} {
			saveImage(t, filepath.Join(in, name+".png"), noise(40, 40))
		}
		// A good header, and not all of the pixels; one seen whole, one in tiles.
		saveImage(t, filepath.Join(in, "torn.png"), noise(40, 40))
		require.NoError(t, os.Truncate(filepath.Join(in, "torn.png"), 500))
		saveImage(t, filepath.Join(in, "wide.png"), noise(10, MinTile+10))
		require.NoError(t, os.Truncate(filepath.Join(in, "wide.png"), 500))
		require.NoError(t, os.WriteFile(filepath.Join(in, "text.jpg"), []byte("no image"), 0o666))
		inputs, err := Inputs([]string{in}, o.Out)
		require.NoError(t, err)
		inputs = append(inputs, Input{filepath.Join(in, "nowhere.png"), "nowhere"})

		summary, err := Run(t.Context(), newFake(), inputs, o)
		require.NoError(t, err)
		require.Equal(t, Summary{Done: 3, Failed: 4}, summary)
		require.ElementsMatch(t, []string{"nowhere.png", "text.jpg", "torn.png", "wide.png"}, *failed)
		require.ElementsMatch(t, []string{"a.png", "b.png", "c.png", "a_overlay.png", "b_overlay.png", "c_overlay.png"},
			bases(globAll(t, o.Out, "*.*")))
	}
}

func bases(paths []string) (names []string) {
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	return names
}

// The error of the network, of the disk or of the context ends a run, and nothing
// half done is left.
func TestRunEnds(t *testing.T) {
	in := t.TempDir()
	for _, name := range []string{"a", "b"} {
		saveImage(t, filepath.Join(in, name+".png"), noise(40, 40))
	}
	saveImage(t, filepath.Join(in, "wide.png"), noise(10, MinTile+10))
	wide := []Input{{filepath.Join(in, "wide.png"), "wide"}}

	o, _ := options(t)
	o.Logits = true
	inputs, err := Inputs([]string{in}, o.Out)
	require.NoError(t, err)
	network := newFake()
	network.err = errors.New("out of memory")
	for _, some := range [][]Input{inputs, wide} {
		_, err = Run(t.Context(), network, some, o)
		require.ErrorIs(t, err, network.err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, some := range [][]Input{inputs, wide} {
		_, err = Run(stopped, newFake(), some, o)
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Empty(t, globAll(t, o.Out, "*.*"))

	// What comes after the last image ends nothing any more.
	last, stop := context.WithCancel(t.Context())
	o.Progress = func(done, of int) {
		if done == of {
			stop()
		}
	}
	summary, err := Run(last, newFake(), inputs[:2], o)
	require.NoError(t, err)
	require.Equal(t, Summary{Done: 2}, summary)
	require.FileExists(t, filepath.Join(o.Out, "b.npy"))
	require.NoError(t, os.RemoveAll(o.Out))
	o.Progress = func(int, int) {}

	// The name of an output is taken by a directory.
	require.NoError(t, os.MkdirAll(filepath.Join(o.Out, "a.png", "x"), 0o777))
	_, err = Run(t.Context(), newFake(), inputs, o)
	require.ErrorContains(t, err, filepath.Join(o.Out, "a.png"))
	require.Empty(t, globAll(t, o.Out, "*.tmp"))
}

func TestMissing(t *testing.T) {
	o, _ := options(t)
	inputs := []Input{{"x", "a"}, {"y", "b"}}
	require.NoError(t, os.WriteFile(filepath.Join(o.Out, "a.png"), nil, 0o666))
	require.Equal(t, inputs[1:], o.Missing(inputs))
	o.Overlay = true
	require.Equal(t, inputs, o.Missing(inputs), "its overlay is not there")
}
