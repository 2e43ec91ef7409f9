package picture

import (
	"image"
	"image/color"
	"strconv"
	"strings"
)

// HalfBlocks draws a photograph in true colour, two pixels a cell: rows strings of
// exactly cols cells.
func HalfBlocks(img image.Image, cols, rows int) []string {
	return halfBlocks(img, cols, rows, averaged)
}

// HalfBlocksNearest draws a mask: [HalfBlocks] without any colour that is not in the
// picture.
func HalfBlocksNearest(img image.Image, cols, rows int) []string {
	return halfBlocks(img, cols, rows, nearest)
}

func halfBlocks(img image.Image, cols, rows int, sample func(image.Image, int, int) []rgb) []string {
	if lines, ok := blank(img, cols, rows); ok {
		return lines
	}
	pixels := sample(img, cols, 2*rows)
	lines := make([]string, rows)
	var b []byte
	for row := range rows {
		b = b[:0]
		upper, lower := pixels[2*row*cols:][:cols], pixels[(2*row+1)*cols:][:cols]
		for i := range cols {
			if i == 0 || upper[i] != upper[i-1] {
				b = appendColour(b, "\x1b[38;2;", upper[i])
			}
			if i == 0 || lower[i] != lower[i-1] {
				b = appendColour(b, "\x1b[48;2;", lower[i])
			}
			b = append(b, "▀"...)
		}
		lines[row] = string(append(b, "\x1b[m"...))
	}
	return lines
}

func appendColour(b []byte, start string, c rgb) []byte {
	b = append(b, start...)
	b = strconv.AppendUint(b, uint64(c.r), 10)
	b = strconv.AppendUint(append(b, ';'), uint64(c.g), 10)
	b = strconv.AppendUint(append(b, ';'), uint64(c.b), 10)
	return append(b, 'm')
}

// Letters draws a mask without colour: the letter of the colour in the middle of
// each cell. What letter gives must be printable ASCII.
func Letters(img image.Image, cols, rows int, letter func(color.Color) byte) []string {
	if lines, ok := blank(img, cols, rows); ok {
		return lines
	}
	b := img.Bounds()
	lines := make([]string, rows)
	line := make([]byte, cols)
	for row := range lines {
		for col := range line {
			line[col] = letter(img.At(b.Min.X+middle(col, cols, b.Dx()), b.Min.Y+middle(row, rows, b.Dy())))
		}
		lines[row] = string(line)
	}
	return lines
}

// Shades draws a photograph without colour, in ASCII: the more ink the brighter on a
// dark terminal, the darker on a light one.
func Shades(img image.Image, cols, rows int, dark bool) []string {
	const ramp = " .:-=+*#%@"
	if lines, ok := blank(img, cols, rows); ok {
		return lines
	}
	pixels := averaged(img, cols, rows)
	lines := make([]string, rows)
	line := make([]byte, cols)
	for row := range lines {
		for col := range line {
			p := pixels[row*cols+col]
			luma := (299*int(p.r) + 587*int(p.g) + 114*int(p.b)) / 1000
			if !dark {
				luma = 255 - luma
			}
			line[col] = ramp[luma*len(ramp)/256]
		}
		lines[row] = string(line)
	}
	return lines
}

// blank is what remains of a picture without pixels or without cells.
func blank(img image.Image, cols, rows int) ([]string, bool) {
	cols, rows = max(cols, 0), max(rows, 0)
	if cols > 0 && rows > 0 && !img.Bounds().Empty() {
		return nil, false
	}
	lines := make([]string, rows)
	for i := range lines {
		lines[i] = strings.Repeat(" ", cols)
	}
	return lines, true
}
