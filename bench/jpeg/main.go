// Command jpeg decodes images for bench/jpeg/compare.py: of each FILE it writes
// FILE.fcnx.png, the pixels that a data set and a prediction get, and FILE.go.png,
// those of Go's own conversion from YCbCr, which repeats chroma.
package main

import (
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"os"

	"github.com/fcnx/fcnx/datasets"
)

func main() {
	for _, path := range os.Args[1:] {
		if err := decode(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func decode(path string) error {
	ours, err := datasets.ReadImage(path, datasets.DefaultMaxPixels)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	img, err := jpeg.Decode(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	plain := image.NewRGBA(img.Bounds())
	draw.Draw(plain, plain.Rect, img, plain.Rect.Min, draw.Src)

	if err := write(path+".fcnx.png", ours); err != nil {
		return err
	}
	return write(path+".go.png", plain)
}

func write(path string, img image.Image) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(file, img); err != nil {
		return err
	}
	return file.Close()
}
