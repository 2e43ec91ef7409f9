package picture

import (
	"image"
	"image/draw"
	"math"
)

// Fit is the largest size in cells, at most cols x rows, that keeps the aspect of a
// picture of w x h pixels where a cell is one unit wide and two tall.
func Fit(w, h, cols, rows int) (c, r int) {
	if w <= 0 || h <= 0 || cols <= 0 || rows <= 0 {
		return 0, 0
	}
	scale := min(float64(cols)/float64(w), 2*float64(rows)/float64(h))
	c = int(math.Round(float64(w) * scale))
	r = int(math.Round(float64(h) * scale / 2))
	return min(max(c, 1), cols), min(max(r, 1), rows)
}

type rgb struct{ r, g, b uint8 }

// premultiplied is a picture in the one form that averaged reads. Its colours times
// their opacity are what is seen over black.
func premultiplied(img image.Image) *image.RGBA {
	if p, ok := img.(*image.RGBA); ok {
		return p
	}
	b := img.Bounds()
	p := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(p, p.Bounds(), img, b.Min, draw.Src)
	return p
}

// averaged scales to w x h pixels; each is the mean of those that it stands for.
func averaged(img image.Image, w, h int) []rgb {
	p := premultiplied(img)
	b := p.Bounds()
	out := make([]rgb, w*h)
	for y := range h {
		top, bottom := stretch(y, h, b.Dy())
		for x := range w {
			left, right := stretch(x, w, b.Dx())
			var sum [3]int
			for sy := top; sy < bottom; sy++ {
				row := p.Pix[sy*p.Stride+4*left : sy*p.Stride+4*right]
				for ; len(row) >= 4; row = row[4:] {
					sum[0] += int(row[0])
					sum[1] += int(row[1])
					sum[2] += int(row[2])
				}
			}
			n := (bottom - top) * (right - left)
			out[y*w+x] = rgb{uint8((sum[0] + n/2) / n), uint8((sum[1] + n/2) / n), uint8((sum[2] + n/2) / n)}
		}
	}
	return out
}

// stretch is what pixel i of n stands for among size, at least one.
func stretch(i, n, size int) (from, to int) {
	from = i * size / n
	return from, max((i+1)*size/n, from+1)
}

// middle is the one among size that pixel i of n shows when none may be mixed.
func middle(i, n, size int) int { return (2*i + 1) * size / (2 * n) }

// nearest scales to w x h pixels by leaving pixels out: each is one of the picture's.
func nearest(img image.Image, w, h int) []rgb {
	b := img.Bounds()
	out := make([]rgb, w*h)
	for y := range h {
		for x := range w {
			r, g, blue, _ := img.At(b.Min.X+middle(x, w, b.Dx()), b.Min.Y+middle(y, h, b.Dy())).RGBA()
			out[y*w+x] = rgb{uint8(r >> 8), uint8(g >> 8), uint8(blue >> 8)}
		}
	}
	return out
}
