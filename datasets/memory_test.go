package datasets

import (
	"image"
	"image/color"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
)

// memorySource draws samples from their index: every pixel differs from its
// neighbours, and every sample from the others.
type memorySource struct {
	sizes      []extent
	unlabelled bool
	decoded    atomic.Int64 // how often At was called

	at   func(i int) error // errors of At, and delays; nil: none
	size func(i int) error // errors of Size
}

func sourceOf(sizes ...extent) *memorySource { return &memorySource{sizes: sizes} }

// repeat is n samples of one size.
func repeat(n, h, w int) []extent {
	sizes := make([]extent, n)
	for i := range sizes {
		sizes[i] = extent{h, w}
	}
	return sizes
}

func (m *memorySource) Len() int { return len(m.sizes) }
func (m *memorySource) Classes() []Class {
	return []Class{{Name: "a"}, {Name: "b", Color: color.RGBA{A: 255}}}
}

func (m *memorySource) Size(i int) (int, int, error) {
	if m.size != nil {
		if err := m.size(i); err != nil {
			return 0, 0, err
		}
	}
	return m.sizes[i].h, m.sizes[i].w, nil
}

func (m *memorySource) At(i int) (Sample, error) {
	m.decoded.Add(1)
	if m.at != nil {
		if err := m.at(i); err != nil {
			return Sample{}, err
		}
	}
	s := testSample(m.sizes[i], uint64(i))
	s.ID = strconv.Itoa(i)
	if m.unlabelled {
		s.Label = nil
	}
	return s, nil
}

// testSample is noise: labels below 200, so that Ignore stands out, and pixels
// above 0, so that padding does.
func testSample(size extent, seed uint64) Sample {
	rng := rand.New(rand.NewPCG(seed, 1))
	img := image.NewNRGBA(image.Rect(0, 0, size.w, size.h))
	for i := range img.Pix {
		img.Pix[i] = uint8(1 + rng.IntN(255))
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	label := image.NewGray(image.Rect(0, 0, size.w, size.h))
	for i := range label.Pix {
		label.Pix[i] = uint8(rng.IntN(200))
	}
	return Sample{ID: "test", Image: img, Label: label}
}

// testRNG is any chance: tests that need a certain outcome try several seeds.
func testRNG(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }
