package datasets

import (
	"image"
	"image/color"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Measures of a contact sheet, in pixels.
const (
	sheetGap    = 8
	sheetText   = 16 // the height of a line
	sheetLetter = 7  // the width of a letter of basicfont's face
)

// ContactSheet draws the samples of the given indices for a person to look at:
// each image beside itself under its labels, with its ID, and the colours of the
// classes below. side is the longer side of an image, in pixels.
func ContactSheet(src Source, indices []int, side int) (*image.NRGBA, error) {
	const columns = 4
	samples := make([]Sample, len(indices))
	cell := image.Point{}
	for i, index := range indices {
		sample, err := src.At(index)
		if err != nil {
			return nil, err
		}
		samples[i] = fit(sample, side)
		size := samples[i].Image.Rect.Size()
		cell.X, cell.Y = max(cell.X, 2*size.X), max(cell.Y, size.Y)
	}
	cell = cell.Add(image.Pt(sheetGap, sheetText+sheetGap))
	across := min(columns, len(samples))
	down := (len(samples) + across - 1) / across
	width := max(across*cell.X+sheetGap, 320)
	legend := legendOf(src.Classes(), width-2*sheetGap)
	sheet := image.NewNRGBA(image.Rect(0, 0, width, down*cell.Y+sheetGap+legend.Rect.Dy()))
	draw.Draw(sheet, sheet.Rect, image.NewUniform(color.Gray{24}), image.Point{}, draw.Src)
	for i, s := range samples {
		corner := image.Pt(sheetGap+i%across*cell.X, sheetGap+i/across*cell.Y)
		size := s.Image.Rect.Size()
		at := image.Rectangle{corner, corner.Add(size)}
		draw.Draw(sheet, at, s.Image, image.Point{}, draw.Src)
		if s.Label != nil {
			draw.Draw(sheet, at.Add(image.Pt(size.X, 0)), Overlay(s.Image, s.Label, src.Classes(), 0.6), image.Point{}, draw.Src)
		}
		letters := max(1, 2*size.X/sheetLetter)
		writeText(sheet, lastLetters(s.ID, letters), corner.X, at.Max.Y+sheetText-4)
	}
	draw.Draw(sheet, legend.Rect.Add(image.Pt(sheetGap, sheet.Rect.Max.Y-legend.Rect.Dy())), legend, image.Point{}, draw.Src)
	return sheet, nil
}

// fit scales a sample so that its longer side is side.
func fit(s Sample, side int) Sample {
	size := s.Image.Rect.Size()
	longer := max(size.X, size.Y)
	to := image.Rect(0, 0, max(1, size.X*side/longer), max(1, size.Y*side/longer))
	scaled := Sample{ID: s.ID, Image: image.NewNRGBA(to)}
	draw.ApproxBiLinear.Scale(scaled.Image, to, s.Image, s.Image.Rect, draw.Src, nil)
	if s.Label != nil {
		scaled.Label = image.NewGray(to)
		draw.NearestNeighbor.Scale(scaled.Label, to, s.Label, s.Label.Rect, draw.Src, nil)
	}
	return scaled
}

// legendOf draws the classes' colours and names in as many lines as they take.
func legendOf(classes []Class, width int) *image.NRGBA {
	type place struct{ x, y int }
	places := make([]place, len(classes))
	x, y := 0, 0
	for i, class := range classes {
		wide := sheetText + (len(class.Name)+2)*sheetLetter
		if x > 0 && x+wide > width {
			x, y = 0, y+sheetText
		}
		places[i] = place{x, y}
		x += wide
	}
	legend := image.NewNRGBA(image.Rect(0, 0, width, y+sheetText+sheetGap))
	draw.Draw(legend, legend.Rect, image.NewUniform(color.Gray{24}), image.Point{}, draw.Src)
	for i, class := range classes {
		p := places[i]
		swatch := image.Rect(p.x, p.y+2, p.x+sheetText-4, p.y+sheetText-2)
		draw.Draw(legend, swatch, image.NewUniform(class.Color), image.Point{}, draw.Src)
		writeText(legend, class.Name, p.x+sheetText, p.y+sheetText-4)
	}
	return legend
}

// lastLetters keeps the end of a name, which tells files of one directory apart.
func lastLetters(name string, n int) string {
	if len(name) <= n {
		return name
	}
	return name[len(name)-n:]
}

func writeText(on *image.NRGBA, text string, x, baseline int) {
	drawer := font.Drawer{Dst: on, Src: image.NewUniform(color.Gray{220}), Face: basicfont.Face7x13, Dot: fixed.P(x, baseline)}
	drawer.DrawString(text)
}
