package datasets

import "image"

// Bilinear resampling in two passes, columns first, in whole numbers from end to
// end: the same bytes on every processor, where the float64 scaler of
// golang.org/x/image/draw, which the tests hold it against, may differ in the last
// bit from one to the next. It takes two thirds of that one's time.

// Weights have 16 fractional bits and always sum to one, so that an even
// surface stays exactly even. Between the passes a value has 8 fractional bits:
// 255.0 in 8.8 times 1.0 in 0.16 is the most that 32 bits can hold.
const (
	weightBits = 16
	weightOne  = 1 << weightBits
	middleBits = 8
)

// taps are the old pixels that one new pixel is made of: first, first+1, ...
type taps struct {
	first   int
	weights []uint32 // sum: weightOne
}

// newTaps lays `to` new pixels over `from` old ones, with centres at one half.
// The kernel is a tent one new or one old pixel wide on each side, whichever is
// wider: narrower than that, shrinking would skip pixels. Beyond the edge there
// is nothing, and the weights inside are scaled up for it.
func newTaps(from, to int) []taps {
	all := make([]taps, to)
	// In units of 1/(2*to) of an old pixel all positions are whole numbers.
	reach := 2 * max(from, to)
	weights := make([]uint32, 0, to*(2*reach/(2*to)+1))
	var tent []int
	for x := range all {
		centre := (2*x + 1) * from
		first := max(0, (centre-reach-to)/(2*to))
		tent = tent[:0]
		sum := 0
		for i := first; i < from; i++ {
			height := reach - max(centre-(2*i+1)*to, (2*i+1)*to-centre)
			if height <= 0 {
				if len(tent) == 0 {
					first++
					continue
				}
				break
			}
			tent = append(tent, height)
			sum += height
		}
		// Rounding the running sum, not each weight, makes the total exact.
		start, before, running := len(weights), 0, 0
		for _, height := range tent {
			running += height
			upTo := (running*weightOne + sum/2) / sum
			weights = append(weights, uint32(upTo-before))
			before = upTo
		}
		all[x] = taps{first, weights[start:]}
	}
	return all
}

func resizeImage(src *image.NRGBA, h, w int) *image.NRGBA {
	from := src.Rect.Size()
	if from.Y == h && from.X == w {
		return src
	}
	middle := make([]uint16, from.Y*w*3) // [from.Y,w,3]
	columns := newTaps(from.X, w)
	for y := range from.Y {
		resampleRow(middle[y*w*3:][:w*3], src.Pix[y*src.Stride:][:4*from.X], columns)
	}

	dst := image.NewNRGBA(image.Rect(0, 0, w, h))
	sums := make([]uint32, w*3)
	for y, row := range newTaps(from.Y, h) {
		clear(sums)
		for i, weight := range row.weights {
			addRow(sums, middle[(row.first+i)*w*3:][:w*3], weight)
		}
		storeRow(dst.Pix[y*dst.Stride:][:4*w], sums)
	}
	return dst
}

// resampleRow makes one row of the middle, [w,3], from one of RGBA pixels.
func resampleRow(out []uint16, row []uint8, columns []taps) {
	const half = 1 << (weightBits - middleBits - 1)
	for x, column := range columns {
		var r, g, b uint32 = half, half, half
		pixels := row[4*column.first:]
		for i, weight := range column.weights {
			p := (*[4]uint8)(pixels[4*i:])
			r += weight * uint32(p[0])
			g += weight * uint32(p[1])
			b += weight * uint32(p[2])
		}
		o := (*[3]uint16)(out[3*x:])
		o[0] = uint16(r >> (weightBits - middleBits))
		o[1] = uint16(g >> (weightBits - middleBits))
		o[2] = uint16(b >> (weightBits - middleBits))
	}
}

func addRow(sums []uint32, row []uint16, weight uint32) {
	row = row[:len(sums)]
	for i := range sums {
		sums[i] += weight * uint32(row[i])
	}
}

// storeRow rounds sums, [w,3], into one row of opaque RGBA pixels.
func storeRow(out []uint8, sums []uint32) {
	const shift = weightBits + middleBits
	const half = 1 << (shift - 1)
	for x := range len(out) / 4 {
		p, s := (*[4]uint8)(out[4*x:]), (*[3]uint32)(sums[3*x:])
		p[0] = uint8((s[0] + half) >> shift)
		p[1] = uint8((s[1] + half) >> shift)
		p[2] = uint8((s[2] + half) >> shift)
		p[3] = 255
	}
}
