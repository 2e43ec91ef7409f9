// Command jpeg decodes images as data sets do, for bench/jpeg/compare.py: of each
// FILE it writes FILE.ppm.
package main

import (
	"bufio"
	"fmt"
	"image"
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
	img, err := datasets.ReadImage(path, datasets.DefaultMaxPixels)
	if err != nil {
		return err
	}
	return writePPM(path+".ppm", img)
}

func writePPM(path string, img *image.NRGBA) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	fmt.Fprintf(w, "P6\n%d %d\n255\n", img.Rect.Dx(), img.Rect.Dy())
	for y := range img.Rect.Dy() {
		row := img.Pix[y*img.Stride:]
		for x := range img.Rect.Dx() {
			_, _ = w.Write(row[4*x:][:3]) // Flush gives its error
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return file.Close()
}
