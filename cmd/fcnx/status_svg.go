package main

import (
	"errors"
	"fmt"
	"html"
	"image/color"
	"os"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"
)

// A character of the picture, in pixels: that of a monospace font at 14 pixels.
const (
	cellWidth, cellHeight = 8.4, 18.0
	fontSize              = 14
	margin                = 10
)

// writeSVG draws a frame as a picture for a page: text that can be searched and
// copied, in the colours of a dark terminal.
func writeSVG(path string, lines []string, width int) error {
	screen := vt.NewEmulator(width, len(lines))
	defer screen.Close()
	if _, err := screen.WriteString(strings.Join(lines, "\r\n")); err != nil {
		return err
	}
	var b strings.Builder
	w, h := float64(width)*cellWidth+2*margin, float64(len(lines))*cellHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="#16181d"/>`+"\n")
	fmt.Fprintf(&b, `<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="%d" fill="#d8d8d8" xml:space="preserve">`+"\n", fontSize)
	for y := range lines {
		writeSVGLine(&b, screen, y, width)
	}
	b.WriteString("</g>\n</svg>\n")
	err := os.WriteFile(path, []byte(b.String()), 0o666)
	if info, statErr := os.Lstat(path); err != nil && statErr == nil && info.Mode().IsRegular() {
		err = errors.Join(err, os.Remove(path)) // half a picture
	}
	return err
}

// writeSVGLine writes one line in stretches of one style.
func writeSVGLine(b *strings.Builder, screen *vt.Emulator, y, width int) {
	top := margin + float64(y)*cellHeight
	for x := 0; x < width; {
		style := cellStyle(screen, x, y)
		text, start := "", x
		for ; x < width; x++ {
			if s := cellStyle(screen, x, y); !s.Equal(&style) {
				break
			}
			content := " "
			if c := screen.CellAt(x, y); c != nil && c.Content != "" {
				content = c.Content
			}
			text += content
		}
		left := margin + float64(start)*cellWidth
		length := float64(x-start) * cellWidth
		fg, bg := style.Fg, style.Bg
		if style.Attrs&uv.AttrReverse != 0 {
			fg, bg = color.Color(color.RGBA{22, 24, 29, 255}), color.Color(color.RGBA{216, 216, 216, 255})
		}
		if bg != nil {
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, left, top, length+0.3, cellHeight+0.3, svgColor(bg))
		}
		text = writeSVGLines(b, text, left, top, fg)
		if strings.TrimSpace(text) == "" {
			continue
		}
		if strings.Trim(text, "▀") == "" && fg != nil { // half a cell, which no font fills exactly
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, left, top, length+0.3, cellHeight/2+0.3, svgColor(fg))
			continue
		}
		attributes := ""
		if fg != nil {
			attributes += fmt.Sprintf(` fill="%s"`, svgColor(fg))
		}
		if style.Attrs&uv.AttrBold != 0 {
			attributes += ` font-weight="bold"`
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s>%s</text>`,
			left, top+cellHeight*0.75, length, attributes, html.EscapeString(strings.ReplaceAll(text, " ", "\u00a0")))
	}
	b.WriteByte('\n')
}

// The sides of a cell that a line character reaches from its middle.
const (
	toLeft = 1 << iota
	toRight
	toTop
	toBottom
	thick
)

// writeSVGLines draws the lines and the braille of a text as shapes, since fonts
// neither join nor size them alike, and returns the text without them.
func writeSVGLines(b *strings.Builder, text string, left, top float64, fg color.Color) string {
	sides := map[rune]int{
		'─': toLeft | toRight, '│': toTop | toBottom, '╭': toRight | toBottom, '╮': toLeft | toBottom, '╰': toRight | toTop,
		'╯': toLeft | toTop, '┤': toLeft | toTop | toBottom, '└': toRight | toTop, '━': toLeft | toRight | thick, '╸': toLeft | thick,
	}
	if fg == nil {
		fg = color.RGBA{216, 216, 216, 255}
	}
	ends := []struct {
		side int
		x, y float64
	}{{toLeft, -cellWidth / 2, 0}, {toRight, cellWidth / 2, 0}, {toTop, 0, -cellHeight / 2}, {toBottom, 0, cellHeight / 2}}
	var thin, heavy, dots string
	rest := []rune(text)
	for i, r := range rest {
		if r >= firstBraille && r <= lastBraille {
			rest[i] = ' '
			dots += brailleDots(left+float64(i)*cellWidth, top, r-firstBraille)
			continue
		}
		to, ok := sides[r]
		if !ok {
			continue
		}
		rest[i] = ' '
		x, y := left+(float64(i)+0.5)*cellWidth, top+cellHeight/2
		path := &thin
		if to&thick != 0 {
			path = &heavy
		}
		for _, end := range ends {
			if to&end.side != 0 {
				*path += fmt.Sprintf("M%.1f %.1fl%.1f %.1f", x, y, end.x, end.y)
			}
		}
	}
	for width, path := range []string{1: thin, 3: heavy} {
		if path != "" {
			fmt.Fprintf(b, `<path d="%s" stroke="%s" stroke-width="%d"/>`, path, svgColor(fg), width)
		}
	}
	if dots != "" {
		fmt.Fprintf(b, `<path d="%s" fill="%s"/>`, dots, svgColor(fg))
	}
	return string(rest)
}

const firstBraille, lastBraille = 0x2800, 0x28ff

// brailleDots are the dots of a braille character as squares; bits are in the order
// of Unicode: down the left side, down the right, then the lowest two.
func brailleDots(left, top float64, bits rune) string {
	path := ""
	for bit, at := range [8][2]float64{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {0, 3}, {1, 3}} {
		if bits>>bit&1 == 1 {
			path += fmt.Sprintf("M%.1f %.1fh2v2h-2z", left+(at[0]+0.5)*cellWidth/2-1, top+(at[1]+0.5)*cellHeight/4-1)
		}
	}
	return path
}

func cellStyle(screen *vt.Emulator, x, y int) uv.Style {
	if c := screen.CellAt(x, y); c != nil {
		return c.Style
	}
	return uv.Style{}
}

func svgColor(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
