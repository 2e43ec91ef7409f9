package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// makeImages is the command of the scripts that makes their pictures:
//
//	mkimages HxW WHAT FILE...
//
// WHAT is rgb, for a picture (JPEG or PNG, by the name of the file) or an RGB
// mask; or grey:0,1,255 or palette:0,1 for a mask whose pixels go through these
// labels again and again; or header, for a PNG that says it is so large and ends.
// Directories are made. A FILE in double quotes is as in Go: "a\x1b.png".
func makeImages() {
	if len(os.Args) < 4 {
		fatal(fmt.Errorf("usage: mkimages HxW rgb|grey:LABELS|palette:LABELS FILE..."))
	}
	for _, path := range os.Args[3:] {
		if quoted, err := strconv.Unquote(path); err == nil {
			path = quoted
		}
		var err error
		if os.Args[2] == "header" {
			err = writeHeader(path, os.Args[1])
		} else if img, failed := drawFixture(os.Args[1], os.Args[2]); failed != nil {
			err = failed
		} else {
			err = writeFixture(path, img)
		}
		if err != nil {
			fatal(err)
		}
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "mkimages:", err)
	os.Exit(1)
}

func drawFixture(size, what string) (image.Image, error) {
	var h, w int
	if _, err := fmt.Sscanf(size, "%dx%d", &h, &w); err != nil {
		return nil, fmt.Errorf("size %q: %w", size, err)
	}
	r := image.Rect(0, 0, w, h)
	kind, list, _ := strings.Cut(what, ":")
	if kind == "rgb" {
		img := image.NewNRGBA(r)
		for i := range img.Pix {
			img.Pix[i] = uint8(i * 37)
			if i%4 == 3 {
				img.Pix[i] = 255
			}
		}
		return img, nil
	}
	pix := make([]uint8, w*h)
	labels := strings.Split(list, ",")
	for i := range pix {
		v, err := strconv.ParseUint(labels[i%len(labels)], 10, 8)
		if err != nil {
			return nil, err
		}
		pix[i] = uint8(v)
	}
	if kind == "palette" {
		palette := make(color.Palette, 256)
		for i := range palette {
			palette[i] = color.RGBA{uint8(i), uint8(255 - i), 0, 255}
		}
		return &image.Paletted{Pix: pix, Stride: w, Rect: r, Palette: palette}, nil
	}
	return &image.Gray{Pix: pix, Stride: w, Rect: r}, nil
}

// writeHeader writes the 33 bytes of a PNG up to the end of its header.
func writeHeader(path, size string) error {
	var h, w uint32
	if _, err := fmt.Sscanf(size, "%dx%d", &h, &w); err != nil {
		return fmt.Errorf("size %q: %w", size, err)
	}
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), w)
	header = append(binary.BigEndian.AppendUint32(header, h), 8, 2, 0, 0, 0)
	file := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(header))
	return os.WriteFile(path, file, 0o666)
}

func writeFixture(path string, img image.Image) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if strings.HasSuffix(path, ".jpg") {
		return jpeg.Encode(file, img, nil)
	}
	return png.Encode(file, img)
}
