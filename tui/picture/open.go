// Package picture shows small pictures in the cells of a terminal: as half blocks
// of two pixels a cell, as letters, or by Kitty's graphics protocol.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
)

// What a file may hold. A run's pictures are a few hundred pixels wide; these limits
// keep a file that is none of them from taking the memory of the machine.
const (
	maxFile   = 4 << 20 // bytes
	maxWidth  = 4096    // pixels
	maxHeight = 2048
)

// Open reads a PNG file that holds two pictures of the same size side by side, as
// event.PreviewImage names them. Both share memory. Every error names the file.
func Open(path string) (left, right image.Image, err error) {
	return open(path, os.Stat, os.Open)
}

// OpenBelow is [Open] for a path below dir, as records name it: no link and no ".."
// leads out of there.
func OpenBelow(dir, path string) (left, right image.Image, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	return open(path, root.Stat, root.Open)
}

func open(path string, stat func(string) (os.FileInfo, error), openFile func(string) (*os.File, error)) (left, right image.Image, err error) {
	data, err := read(path, stat, openFile)
	if err != nil {
		return nil, nil, err // it names the file already
	}
	left, right, err = decode(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return left, right, nil
}

func read(path string, stat func(string) (os.FileInfo, error), openFile func(string) (*os.File, error)) ([]byte, error) {
	// Asked before the file is opened: opening a pipe would wait for its writer.
	info, err := stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes; a picture of a run has at most %d", path, info.Size(), maxFile)
	}
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

func decode(data []byte) (left, right image.Image, err error) {
	header, err := png.DecodeConfig(bytes.NewReader(data))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("not a PNG picture: %w", err)
	case header.Width > maxWidth || header.Height > maxHeight:
		return nil, nil, fmt.Errorf("the picture says it has %dx%d pixels; at most %dx%d are shown",
			header.Width, header.Height, maxWidth, maxHeight)
	case header.Width%2 != 0:
		return nil, nil, fmt.Errorf("the picture is %d pixels wide, which is no two pictures side by side", header.Width)
	}
	both, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, nil, fmt.Errorf("damaged PNG picture: %w", err)
	}
	part, ok := both.(interface {
		SubImage(image.Rectangle) image.Image
	})
	if !ok {
		return nil, nil, errors.New("this kind of PNG picture cannot be cut in two")
	}
	whole := both.Bounds()
	middle := whole.Min.X + whole.Dx()/2
	return part.SubImage(image.Rect(whole.Min.X, whole.Min.Y, middle, whole.Max.Y)),
		part.SubImage(image.Rect(middle, whole.Min.Y, whole.Max.X, whole.Max.Y)), nil
}
