package models

// Field says what the pixels of an operation's output see of the image, along one
// axis; both axes are alike. Pixel i of the image is at i, what is left of it is
// below zero: the network pads with zeros there.
//
// It is what they could see if the tensors had no ends. At an end there is less,
// but nothing else: cut off at the ends of the image, [Field.Sees] holds for every
// size of image.
type Field struct {
	// Size is the receptive field: how many pixels of the image one pixel of the
	// output sees at most. Behind an upsampling some see fewer than others.
	Size int
	// Stride is the distance between what two neighbours see, in pixels of the image.
	Stride int
	// Centre is the middle, in pixels of the image, of what output pixel 0 looks at:
	// pixel i of the output lies over Centre + i*Stride.
	Centre float64

	// Pixel i sees lo[i] to hi[i]; pixel i+len(lo) the same, len(lo) strides on.
	lo, hi []int
}

// imageField is that of the image itself.
func imageField() Field { return Field{Size: 1, Stride: 1, lo: []int{0}, hi: []int{0}} }

// Sees gives the first and the last pixel of the image that output pixel i sees.
func (f Field) Sees(i int) (first, last int) {
	period := len(f.lo)
	r := i % period
	if r < 0 {
		r += period
	}
	moved := (i - r) * f.Stride
	return f.lo[r] + moved, f.hi[r] + moved
}

// derive makes a field of the given period, whose pixel i sees all that pixels
// from(i) to to(i) of f see.
func (f Field) derive(period, stride int, centre float64, from, to func(i int) int) Field {
	d := Field{Stride: stride, Centre: centre, lo: make([]int, period), hi: make([]int, period)}
	for i := range period {
		d.lo[i], _ = f.Sees(from(i))
		_, d.hi[i] = f.Sees(to(i))
		d.Size = max(d.Size, d.hi[i]-d.lo[i]+1)
	}
	return d
}

// convolve is for a window of k pixels, of which pad lie before the first one.
func (f Field) convolve(k, pad int) Field {
	return f.derive(len(f.lo), f.Stride, f.Centre+float64(f.Stride)*(float64(k-1)/2-float64(pad)),
		func(i int) int { return i - pad }, func(i int) int { return i - pad + k - 1 })
}

// pool is for windows of k pixels side by side.
func (f Field) pool(k int) Field {
	return f.derive(len(f.lo), f.Stride*k, f.Centre+float64(f.Stride)*float64(k-1)/2,
		func(i int) int { return i * k }, func(i int) int { return i*k + k - 1 })
}

// upsample is for a transposed convolution of stride s and kernel 2s, which divides
// the stride, with pad pixels cut off before the first. Each pixel hears two
// neighbours, and s pixels in a row hear the same two.
func (f Field) upsample(s, pad int) Field {
	second := func(i int) int { return floorDiv(i+pad, s) }
	return f.derive(len(f.lo)*s, f.Stride/s, f.Centre+float64(f.Stride)*(float64(pad-s)+0.5)/float64(s),
		func(i int) int { return second(i) - 1 }, second)
}

// crop is for what begins at pixel offset.
func (f Field) crop(offset int) Field {
	at := func(i int) int { return i + offset }
	return f.derive(len(f.lo), f.Stride, f.Centre+float64(f.Stride*offset), at, at)
}

// and is for the sum of two tensors of one stride that lie over each other.
func (f Field) and(g Field) Field {
	u := Field{Stride: f.Stride, Centre: f.Centre}
	for i := range len(f.lo) * len(g.lo) { // a multiple of both periods
		fLo, fHi := f.Sees(i)
		gLo, gHi := g.Sees(i)
		u.lo, u.hi = append(u.lo, min(fLo, gLo)), append(u.hi, max(fHi, gHi))
		u.Size = max(u.Size, u.hi[i]-u.lo[i]+1)
	}
	return u
}

func floorDiv(a, b int) int {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}
