package datasets

import (
	"errors"
	"fmt"
	"image"
	"image/color"
)

// checkMaskHeader refuses, from the header alone, a file whose pixels cannot be
// class indices.
func (e *encoded) checkMaskHeader() error {
	switch {
	case e.format.name == "JPEG" || e.format.name == "WebP":
		return fmt.Errorf("a %s mask: lossy compression changes labels; make masks anew as 8-bit PNG of class indices", e.format.name)
	case e.format.name != "PNG":
		return fmt.Errorf("a %s mask: masks are 8-bit PNG of class indices, grey or paletted", e.format.name)
	case e.head.colorType() == pngGreyAlpha:
		return errors.New("a grey mask with alpha: is a clear pixel label 0, or none? Save the masks anew as 8-bit PNG of class indices, without alpha")
	case e.head.colorType() != pngGrey && e.head.colorType() != pngIndexed:
		return errMaskColour
	}
	return nil
}

var errMaskColour = errors.New("RGB mask where indices are expected; convert the masks to 8-bit PNG of class indices, grey or paletted")

// label decodes a mask: the indices of a paletted PNG, the values of a grey one.
// They are classes below the number of classes; [Ignore] stays, and void, unless
// negative, becomes [Ignore].
func (e *encoded) label(classes []Class, void int) (*image.Gray, error) {
	if err := e.checkMaskHeader(); errors.Is(err, errMaskColour) {
		return nil, e.explainColour(classes)
	} else if err != nil {
		return nil, err
	}
	img, err := e.pixels()
	if err != nil {
		return nil, err
	}
	label, err := indices(img, e.head.depth())
	if err != nil {
		return nil, err
	}
	return label, settleLabels(label, len(classes), void)
}

// explainColour adds the first pixel of an RGB mask to the error, since its
// colour tells which tool wrote it.
func (e *encoded) explainColour(classes []Class) error {
	img, err := e.pixels()
	if err != nil {
		return errMaskColour
	}
	first := color.NRGBAModel.Convert(img.At(img.Bounds().Min.X, img.Bounds().Min.Y)).(color.NRGBA)
	where := fmt.Sprintf("pixel (0,0) is #%02x%02x%02x", first.R, first.G, first.B)
	for _, class := range classes {
		if c := class.Color; c.R == first.R && c.G == first.G && c.B == first.B {
			where += fmt.Sprintf(", the colour of %q", class.Name)
		}
	}
	return fmt.Errorf("%w (%s)", errMaskColour, where)
}

// indices takes the numbers out of a decoded PNG of the given bit depth. Go's
// decoder stretches grey of fewer than 8 bits to the range 0 to 255, and makes
// grey that has a transparent value NRGBA; both are undone.
func indices(img image.Image, depth int) (*image.Gray, error) {
	b := img.Bounds()
	label := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	switch m := img.(type) {
	case *image.Paletted:
		return &image.Gray{Pix: m.Pix, Stride: m.Stride, Rect: label.Rect}, nil
	case *image.Gray:
		label = &image.Gray{Pix: m.Pix, Stride: m.Stride, Rect: label.Rect}
	case *image.NRGBA:
		for i := range label.Pix {
			label.Pix[i] = m.Pix[4*i]
		}
	case *image.Gray16, *image.NRGBA64:
		for y := range b.Dy() {
			for x := range b.Dx() {
				v := grey16(img, b.Min.X+x, b.Min.Y+y)
				if v > 255 {
					return nil, fmt.Errorf("label %d at pixel (%d,%d) is out of range: labels are 0 to 255", v, x, y)
				}
				label.Pix[y*label.Stride+x] = uint8(v)
			}
		}
	default:
		return nil, errMaskColour
	}
	if depth < 8 {
		stretch := uint8(255 / (1<<depth - 1))
		for i := range label.Pix {
			label.Pix[i] /= stretch
		}
	}
	return label, nil
}

func grey16(img image.Image, x, y int) uint16 {
	if m, ok := img.(*image.Gray16); ok {
		return m.Gray16At(x, y).Y
	}
	return img.(*image.NRGBA64).NRGBA64At(x, y).R
}

// settleLabels turns void into [Ignore], in place, and finds the first label, row
// by row, that names no class.
func settleLabels(label *image.Gray, classes, void int) error {
	var settled [256]uint8
	var wrong [256]bool
	for v := range 256 {
		settled[v] = uint8(v)
		if v == void {
			settled[v] = Ignore
		}
		wrong[v] = v >= classes && v != void && v != Ignore
	}
	for i, v := range label.Pix {
		if wrong[v] {
			return fmt.Errorf("label %d at pixel (%d,%d) is out of range: %s", v, i%label.Stride, i/label.Stride, describeLabels(classes, void))
		}
		label.Pix[i] = settled[v]
	}
	return nil
}

func describeLabels(classes, void int) string {
	text := fmt.Sprintf("the %d classes are 0 to %d, and %d is ignored", classes, classes-1, Ignore)
	if classes == 0 {
		text = "there are no classes"
	}
	if void >= 0 {
		text += fmt.Sprintf(" like %d (void)", void)
	}
	return text
}
