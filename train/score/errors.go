package score

import (
	"fmt"
	"image/color"
)

// BorderReach is how far from a border of the truth, in pixels, an error is still
// one of where exactly the border runs, and not of what is there.
const BorderReach = 3

// Outcome is what became of one pixel.
type Outcome uint8

// The outcomes.
const (
	Right      Outcome = iota
	NearBorder         // wrong, at most BorderReach pixels from a border of the truth
	Elsewhere          // wrong, further away
	Unlabelled         // the truth is Ignore
)

// Color is the outcome's in pictures. Those of the two kinds of error are sky blue
// and vermillion of Okabe and Ito's palette: of its pairs that stand out on grey
// they stay furthest apart for people with any of the three colour blindnesses.
func (o Outcome) Color() color.RGBA {
	switch o {
	case Right:
		return color.RGBA{0x26, 0x26, 0x26, 255}
	case NearBorder:
		return color.RGBA{0x56, 0xb4, 0xe9, 255}
	case Elsewhere:
		return color.RGBA{0xd5, 0x5e, 0x00, 255}
	}
	return color.RGBA{0x70, 0x70, 0x70, 255}
}

// ErrorMap is the outcome of every pixel of an image, and how many there are of
// each.
type ErrorMap struct {
	Pixels []Outcome // row-major, of the image's size
	counts [Unlabelled + 1]int
}

// Count is the number of pixels with an outcome.
func (m ErrorMap) Count(o Outcome) int { return m.counts[o] }

// Share is the fraction of the labelled pixels that are wrong; 0 where none is
// labelled.
func (m ErrorMap) Share() float64 {
	wrong := m.counts[NearBorder] + m.counts[Elsewhere]
	return fraction(wrong, wrong+m.counts[Right])
}

// BorderShare is the fraction of the wrong pixels that are near a border; 0 where
// none is wrong.
func (m ErrorMap) BorderShare() float64 {
	return fraction(m.counts[NearBorder], m.counts[NearBorder]+m.counts[Elsewhere])
}

func fraction(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Errors compares a prediction with its truth, both row-major [height,width].
//
// A border pixel is one whose left, right, upper or lower neighbour has another
// label. [Ignore] is such a label: data sets draw the borders of objects with it
// (PASCAL VOC), or have things under it that are no class (CamVid), and the trimaps
// of Kohli et al. (IJCV 2009) and of DeepLab are bands around it too. The edge of
// the image is no border. Distances are Chebyshev's, the larger of those in x and in
// y, as a dilation by a square measures them.
func Errors(truth, prediction []uint8, height, width int) (ErrorMap, error) {
	if height < 0 || width < 0 || len(truth) != height*width || len(prediction) != len(truth) {
		return ErrorMap{}, fmt.Errorf("%d labels and %d predictions for an image of %dx%d", len(truth), len(prediction), height, width)
	}
	m := ErrorMap{Pixels: make([]Outcome, len(truth))}
	band := borderBand(truth, height, width)
	for i, label := range truth {
		switch {
		case label == Ignore:
			m.Pixels[i] = Unlabelled
		case label == prediction[i]:
			m.Pixels[i] = Right
		case band[i] > 0:
			m.Pixels[i] = NearBorder
		default:
			m.Pixels[i] = Elsewhere
		}
		m.counts[m.Pixels[i]]++
	}
	return m, nil
}

// borderBand is above zero at most BorderReach pixels from a border pixel.
func borderBand(truth []uint8, height, width int) []uint8 {
	const full = BorderReach + 1
	band := make([]uint8, len(truth))
	for y := range height {
		for x := range width {
			i := y*width + x
			if x > 0 && truth[i] != truth[i-1] {
				band[i], band[i-1] = full, full
			}
			if y > 0 && truth[i] != truth[i-width] {
				band[i], band[i-width] = full, full
			}
		}
	}
	// A square is a line of lines.
	for y := range height {
		spread(band[y*width:], width, 1)
	}
	for i, v := range band {
		if v > 0 {
			band[i] = full
		}
	}
	for x := range width {
		spread(band[x:], height, width)
	}
	return band
}

// spread lets every value of a line of n go on to its neighbours on both sides, less
// one a pixel.
func spread(line []uint8, n, stride int) {
	carry := uint8(0)
	pass := func(i int) {
		carry = max(line[i*stride], max(carry, 1)-1)
		line[i*stride] = carry
	}
	for i := range n {
		pass(i)
	}
	carry = 0
	for i := n - 1; i >= 0; i-- {
		pass(i)
	}
}

// Worst is the class with the lowest IoU of those that have labels, the first of
// equals; ok is false where none has.
func (c *Confusion) Worst() (class int, ok bool) {
	m := c.Measures()
	for i := range c.classes {
		// The accuracy is NaN without labels, and only then.
		if m.ClassAccuracy[i] >= 0 && (!ok || m.ClassIoU[i] < m.ClassIoU[class]) {
			class, ok = i, true
		}
	}
	return class, ok
}
