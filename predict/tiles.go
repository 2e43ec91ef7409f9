package predict

import (
	"image"

	"github.com/fcnx/fcnx/datasets"
)

const (
	// stride is the network's: parts of an image that begin at multiples of it fall
	// on the same pooling windows as in the whole image.
	stride = 32
	// reach bounds how far, in pixels, the score of a pixel looks around. VGG-19 has
	// the largest receptive field of the encoders, 460 pixels at fc7, so 230 to each
	// side; the three upsamplings of FCN-8s add 32, 16 and 8. It is rounded up to the
	// stride.
	reach = 288
	// MinTile is the smallest tile that has something in its middle which sees no
	// border but the image's.
	MinTile = 2*reach + 2*stride
)

// span is a tile along one side of an image: the network sees pixels from start on,
// and what it says of [from,to) is taken.
type span struct{ start, from, to int }

// spans covers a side of n pixels with tiles of at most tile pixels, which is a
// multiple of stride. Neighbours overlap by twice the reach or more and meet in the
// middle of their overlap: so whatever is taken has seen all that it would have seen
// in the whole image. A side that fits into one tile is padded to a multiple of
// multiple.
func spans(n, tile, multiple int) (list []span, size int) {
	roundUp := func(n, m int) int { return (n + m - 1) / m * m }
	if n <= tile {
		return []span{{0, 0, n}}, roundUp(n, multiple)
	}
	padded := roundUp(n, stride)
	step := tile - 2*reach
	count := (padded-tile+step-1)/step + 1
	for i := range count {
		// Evenly spread, so that no pair overlaps by less than it must.
		list = append(list, span{start: (padded - tile) * i / (count - 1) / stride * stride})
	}
	for i := range list {
		if i > 0 {
			list[i].from = (list[i].start + list[i-1].start + tile) / 2
			list[i-1].to = list[i].from
		}
	}
	list[count-1].to = n
	return list, tile
}

// tile is a part of an image.
type tile struct{ rows, cols span }

// own is the part of the image for which the tile speaks.
func (t tile) own() image.Rectangle {
	return image.Rect(t.cols.from, t.rows.from, t.cols.to, t.rows.to)
}

// tilesOf covers an image, all tiles having the size h x w.
func tilesOf(imageH, imageW, side, multiple int) (tiles []tile, h, w int) {
	rows, h := spans(imageH, side, multiple)
	cols, w := spans(imageW, side, multiple)
	for _, r := range rows {
		for _, c := range cols {
			tiles = append(tiles, tile{r, c})
		}
	}
	return tiles, h, w
}

// tileBatch cuts at most n tiles of h x w pixels out of an image. What lies beyond
// the image is padding, as it is in a batch of whole images; places without a tile
// are blank.
func tileBatch(img *image.NRGBA, tiles []tile, n, h, w int) *datasets.Batch {
	b := &datasets.Batch{
		Images: make([]uint8, n*h*w*3), N: n, H: h, W: w,
		Labels: make([]uint8, n*h*w), LabelH: h, LabelW: w, // of which only the size counts
		Count: len(tiles),
	}
	for i := range n {
		rows, cols := h, w
		if i < len(tiles) {
			top, left := tiles[i].rows.start, tiles[i].cols.start
			rows, cols = min(h, img.Rect.Dy()-top), min(w, img.Rect.Dx()-left)
			for y := range rows {
				from := img.Pix[(top+y)*img.Stride+4*left:]
				to := b.Images[(i*h+y)*w*3:]
				for x := range cols {
					copy(to[3*x:3*x+3], from[4*x:])
				}
			}
		}
		b.Sizes = append(b.Sizes, int32(rows), int32(cols))
		b.LabelSizes = append(b.LabelSizes, int32(h), int32(w))
	}
	return b
}
