package predict

import "math"

// scores are a network's logits of one image or one part of it: [classes,h,w] inside
// of an array whose rows and planes may be larger, because batches are padded.
type scores struct {
	values        []float32
	classes, h, w int
	row, plane    int // distance of two rows, of two classes
}

// scoresOf takes sample i of a batch's logits [N,classes,batchH,batchW].
func scoresOf(logits []float32, i, classes, batchH, batchW, h, w int) scores {
	plane := batchH * batchW
	return scores{logits[i*classes*plane:][:classes*plane], classes, h, w, batchW, plane}
}

// part is the scores of a window.
func (s scores) part(top, left, h, w int) scores {
	s.values = s.values[top*s.row+left:]
	s.h, s.w = h, w
	return s
}

// eachRow calls visit with the scores of row after row, [classes][w], after the
// scores were stretched bilinearly over h x w pixels. What visit gets is used again.
//
// Pixel centres are mapped to pixel centres and nothing is extrapolated: PyTorch's
// interpolate(mode="bilinear", align_corners=False), which is what evaluation does
// in its graph. Here it is done row by row, because the scores of a photograph
// of 12 million pixels and 21 classes are a gigabyte.
func (s scores) eachRow(h, w int, visit func(y int, row [][]float32) error) error {
	columns := taps(s.w, w)
	row := make([][]float32, s.classes)
	for c := range row {
		row[c] = make([]float32, w)
	}
	blended := make([]float32, s.w)
	for y, tap := range taps(s.h, h) {
		for c := range row {
			upper := s.values[c*s.plane+tap.at*s.row:][:s.w]
			if h == s.h && w == s.w {
				copy(row[c], upper)
				continue
			}
			lower := s.values[c*s.plane+tap.next*s.row:][:s.w]
			for x := range blended {
				blended[x] = upper[x] + tap.share*(lower[x]-upper[x])
			}
			for x, tap := range columns {
				row[c][x] = blended[tap.at] + tap.share*(blended[tap.next]-blended[tap.at])
			}
		}
		if err := visit(y, row); err != nil {
			return err
		}
	}
	return nil
}

// tap says between which two old pixels a new one lies, and how near to the second.
type tap struct {
	at, next int
	share    float32
}

func taps(from, to int) []tap {
	list := make([]tap, to)
	for i := range list {
		source := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
		source = min(max(source, 0), float64(from-1))
		at := int(math.Floor(source))
		list[i] = tap{at, min(at+1, from-1), float32(source - float64(at))}
	}
	return list
}

// best writes the class with the highest score of each pixel, the first of equal
// ones, as the masks of a graph are made too.
func best(row [][]float32, mask []uint8) {
	for x := range mask {
		highest := 0
		for c := 1; c < len(row); c++ {
			if row[c][x] > row[highest][x] {
				highest = c
			}
		}
		mask[x] = uint8(highest)
	}
}
