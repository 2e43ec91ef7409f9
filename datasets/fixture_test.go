package datasets

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// write puts files below a new directory and returns it: a string or bytes as
// they are, an image as PNG, or as JPEG where the name says so.
func write(t testing.TB, files map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		var text []byte
		switch c := content.(type) {
		case string:
			text = []byte(c)
		case []byte:
			text = c
		case image.Image:
			if text = encodePNG(t, c); filepath.Ext(name) == ".jpg" {
				text = encodeJPEG(t, c)
			}
		}
		require.NoError(t, os.WriteFile(path, text, 0o666))
	}
	return dir
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	return b.Bytes()
}

func encodeJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}))
	return b.Bytes()
}

// picture is an RGB image in which no two pixels of a row are alike.
func picture(h, w int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(7 * x), uint8(11 * y), uint8(3*x + 5*y), 255})
		}
	}
	return m
}

// greyMask goes through the labels again and again, row by row.
func greyMask(h, w int, labels ...uint8) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = labels[i%len(labels)]
	}
	return m
}

// palettedMask has the same labels as greyMask, as indices of VOC's colours.
func palettedMask(h, w int, labels ...uint8) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, w, h), MaskPalette(nil))
	copy(m.Pix, greyMask(h, w, labels...).Pix)
	return m
}

// ids lists the samples of a source that is made of files.
func ids(src Source) []string {
	var all []string
	for _, p := range src.(*pairs).list {
		all = append(all, p.id)
	}
	return all
}

// problems is what a deep Check reports, and its summary.
func problems(t testing.TB, src Source, deep bool) ([]string, Summary) {
	t.Helper()
	var all []string
	summary, err := Check(t.Context(), src, deep, func(p *SampleError) { all = append(all, p.Error()) })
	require.NoError(t, err)
	return all, summary
}
