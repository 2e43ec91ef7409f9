// Package datasets turns labelled images on disk, or drawn on the spot, into
// batches of pixels: [Source] finds samples, [Transform] changes them, [Loader]
// puts them together in an order that depends on nothing but the seed.
//
// The package knows pixels only. It knows nothing of networks, devices or
// training, and imports no GoMLX.
package datasets

import (
	"image"
	"image/color"
	"math/rand/v2"
)

// Ignore is the label value that neither trains nor scores (PASCAL VOC's 255).
const Ignore = 255

// Class is one of the things a label can say.
type Class struct {
	Name  string
	Color color.RGBA // in masks and overlays
}

// Sample is one image with its label.
type Sample struct {
	// ID names the sample in messages and output files: the file's path below
	// the data set's directory without its extension, or a number.
	ID string
	// Image is RGB; alpha is 255 everywhere and carries nothing.
	Image *image.NRGBA
	// Label holds a class index a pixel, [Ignore] where there is none to learn;
	// nil when the sample has no label. It has the image's size when it leaves
	// a Source.
	Label *image.Gray

	// doubtful: the file says how to turn the image, and nobody whether to.
	doubtful bool
}

// Source is a data set: a fixed list of samples.
//
// At and Size must be safe for concurrent use, must return equal pixels each
// time they are asked for the same index, and must not share memory between
// two calls (a Transform may write into what it was given).
type Source interface {
	Len() int
	// At decodes sample i. Its error is a [*SampleError].
	At(i int) (Sample, error)
	// Size tells the height and width of sample i without decoding its pixels.
	Size(i int) (h, w int, err error)
	// Classes are in label order: index i has the name Classes()[i].
	Classes() []Class
}

// Transform changes a sample. All chance comes from rng, so that the same rng
// state and the same sample give the same pixels. It may write into s.
type Transform func(rng *rand.Rand, s Sample) (Sample, error)

// SampleError says which sample could not be used, and why.
type SampleError struct {
	ID   string
	Path string // the file to look at; empty when there is none
	Err  error
}

func (e *SampleError) Error() string {
	if e.Path != "" {
		return Printable(e.Path) + ": " + e.Err.Error()
	}
	return "sample " + Printable(e.ID) + ": " + e.Err.Error()
}

func (e *SampleError) Unwrap() error { return e.Err }
