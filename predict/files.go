package predict

import (
	"context"
	"fmt"
	"image"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/fcnx/fcnx/datasets"
)

// file is an input with the size that its header says.
type file struct {
	Input
	h, w   int
	images *images
}

// images reads image files, with bounds on what is decoded.
type images struct {
	maxPixels int64
	decoding  datasets.Budget // for all decoders together
}

func newImages(maxPixels int64) *images {
	if maxPixels == 0 {
		maxPixels = datasets.DefaultMaxPixels
	}
	return &images{maxPixels, datasets.NewBudget(maxPixels)}
}

// read decodes the file, which must be what its header was.
func (f file) read() (img *image.NRGBA, err error) {
	err = f.images.decoding.Decode(f.h, f.w, func() (err error) {
		img, err = datasets.ReadImage(f.Path, f.images.maxPixels)
		return err
	})
	if err == nil && img.Rect.Size() != image.Pt(f.w, f.h) {
		err = fmt.Errorf("%s: it was changed while it was read", datasets.Printable(f.Path))
	}
	return img, err
}

// readSizes reads the headers of all inputs. Those that have none are left out and
// reported, in order.
func readSizes(ctx context.Context, inputs []Input, images *images, report func(string, error)) ([]file, error) {
	files := make([]file, len(inputs))
	errs := make([]error, len(inputs))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, in := range inputs {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			h, w, err := datasets.ImageSize(in.Path, images.maxPixels)
			files[i], errs[i] = file{in, h, w, images}, err
			return nil
		})
	}
	_ = group.Wait() // no function of it fails
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var good []file
	for i, f := range files {
		if errs[i] != nil {
			report(f.Path, errs[i])
		} else {
			good = append(good, f)
		}
	}
	return good, nil
}

// source shows files to an evaluation as a data set without labels. A file that
// cannot be decoded must not end the pass: a black image takes its place, and the
// error is kept for whoever gets the batch.
type source struct {
	files    []file
	classes  []datasets.Class
	resize   datasets.Transform // nil: images keep their sizes
	keep     bool               // the images themselves are wanted again
	mu       sync.Mutex
	images   map[int]*image.NRGBA
	failures map[int]error
}

func newSource(files []file, o Options) *source {
	s := &source{
		files: files, classes: o.Classes, keep: o.Overlay,
		images: map[int]*image.NRGBA{}, failures: map[int]error{},
	}
	if o.Height > 0 {
		s.resize = datasets.Resize(o.Height, o.Width)
	}
	return s
}

// Len implements [datasets.Source], as do Size, Classes and At.
func (s *source) Len() int                         { return len(s.files) }
func (s *source) Size(i int) (h, w int, err error) { return s.files[i].h, s.files[i].w, nil }
func (s *source) Classes() []datasets.Class        { return s.classes }

func (s *source) At(i int) (datasets.Sample, error) {
	f := s.files[i]
	img, err := f.read()
	if err != nil {
		img = image.NewNRGBA(image.Rect(0, 0, f.w, f.h))
	}
	s.mu.Lock()
	if err != nil {
		s.failures[i] = err
	} else if s.keep {
		s.images[i] = img
	}
	s.mu.Unlock()
	sample := datasets.Sample{ID: f.Name, Image: img}
	if s.resize == nil {
		return sample, nil
	}
	return s.resize(nil, sample) // a resize draws nothing from chance
}

// take gives out, once, what became of file i.
func (s *source) take(i int) (*image.NRGBA, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	img, err := s.images[i], s.failures[i]
	delete(s.images, i)
	delete(s.failures, i)
	return img, err
}
