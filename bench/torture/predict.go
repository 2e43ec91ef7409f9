package main

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
)

// predicts says whether the try's network segments images too. Equal variables give
// equal predictions, so one try of a fault is enough to show that they do.
func (t *try) predicts() bool { return t.i == 0 && (!t.short || t.fault == repeatName) }

// predict has the run's network segment a few images of other sizes.
func (t *try) predict() (map[string]string, error) {
	images := filepath.Join(t.dir, "images")
	if err := drawImages(images); err != nil {
		return nil, err
	}
	p, err := t.start("predict", "runs/run", "images", "--out", "predicted", "--logits", "--which", "last", "--backend", t.backend)
	if err != nil {
		return nil, err
	}
	if err := p.ends(codeDone); err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	sums := map[string]string{}
	if err := hashFiles(t.dir, "predicted", sums); err != nil {
		return nil, err
	}
	if len(sums) == 0 {
		return nil, errors.New("predict wrote nothing")
	}
	return sums, nil
}

// drawImages writes a few images of different sizes.
func drawImages(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, size := range []image.Point{{32, 32}, {45, 37}, {70, 20}} {
		if err := drawImage(filepath.Join(dir, fmt.Sprintf("%d.png", i)), size); err != nil {
			return err
		}
	}
	return nil
}

// drawImage writes one with a smooth run of colours.
func drawImage(path string, size image.Point) error {
	img := image.NewNRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / size.X), uint8(y * 255 / size.Y), uint8((x + y) * 127 / (size.X + size.Y)), 255})
		}
	}
	return writePNG(path, img)
}

func writePNG(path string, img image.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	return errors.Join(encoder.Encode(f, img), f.Close())
}
