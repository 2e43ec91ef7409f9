package sink

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"os"

	"github.com/fcnx/fcnx/train/event"
)

const (
	// stripFileLimit bounds the PNG files that are read, in bytes.
	stripFileLimit = 16 << 20
	// stripPixelLimit bounds what they may unpack to.
	stripPixelLimit = 1 << 24
)

// picture is a PNG and its size in pixels.
type picture struct {
	height, width int
	png           []byte
}

// readStrip reads the two files of a sample, below the run directory, and puts them
// side by side: image, truth, prediction, errors.
func readStrip(run *os.Root, p event.PreviewImage) (picture, error) {
	left, err := readPNG(run, p.Truth)
	if err != nil {
		return picture{}, err
	}
	right, err := readPNG(run, p.Result)
	if err != nil {
		return picture{}, err
	}
	l, r := left.Bounds(), right.Bounds()
	strip := image.NewRGBA(image.Rect(0, 0, l.Dx()+r.Dx(), max(l.Dy(), r.Dy())))
	// Black below it makes the strip opaque, so that it is RGB as a PNG.
	draw.Draw(strip, strip.Rect, image.Black, image.Point{}, draw.Src)
	draw.Draw(strip, l.Sub(l.Min), left, l.Min, draw.Over)
	draw.Draw(strip, r.Sub(r.Min).Add(image.Pt(l.Dx(), 0)), right, r.Min, draw.Over)
	var b bytes.Buffer
	if err := png.Encode(&b, strip); err != nil {
		return picture{}, err
	}
	return picture{strip.Rect.Dy(), strip.Rect.Dx(), b.Bytes()}, nil
}

// readPNG looks at the size of the file and at that of the picture before it reads
// pixels. A path that leaves the run directory is an error.
func readPNG(run *os.Root, path string) (image.Image, error) {
	// Opening a pipe would wait for its other end.
	info, err := run.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > stripFileLimit {
		return nil, fmt.Errorf("%s is not a file of at most %d MiB", path, stripFileLimit>>20)
	}
	file, err := run.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, stripFileLimit))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err == nil && config.Width > stripPixelLimit/config.Height {
		return nil, fmt.Errorf("%s: %dx%d (height x width): at most %d pixels are read", path, config.Height, config.Width, stripPixelLimit)
	}
	var img image.Image
	if err == nil {
		img, err = png.Decode(bytes.NewReader(data))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: no PNG that can be read: %w", path, err)
	}
	return img, nil
}
