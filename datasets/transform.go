package datasets

import "math/rand/v2"

// Chain applies transforms one after the other, all of them fed from one rng.
func Chain(transforms ...Transform) Transform {
	return func(rng *rand.Rand, s Sample) (Sample, error) {
		for _, transform := range transforms {
			var err error
			if s, err = transform(rng, s); err != nil {
				return s, err
			}
		}
		return s, nil
	}
}

// FlipLR mirrors image and label left to right, one time in two.
func FlipLR() Transform {
	return func(rng *rand.Rand, s Sample) (Sample, error) {
		if rng.Uint64()&1 == 0 {
			return s, nil
		}
		for y := range s.Image.Rect.Dy() {
			row := s.Image.Pix[y*s.Image.Stride:][:4*s.Image.Rect.Dx()]
			for l, r := 0, len(row)-4; l < r; l, r = l+4, r-4 {
				left, right := (*[4]uint8)(row[l:]), (*[4]uint8)(row[r:])
				*left, *right = *right, *left
			}
		}
		if s.Label == nil {
			return s, nil
		}
		for y := range s.Label.Rect.Dy() {
			row := s.Label.Pix[y*s.Label.Stride:][:s.Label.Rect.Dx()]
			for l, r := 0, len(row)-1; l < r; l, r = l+1, r-1 {
				row[l], row[r] = row[r], row[l]
			}
		}
		return s, nil
	}
}
