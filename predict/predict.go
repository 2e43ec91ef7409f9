// Package predict writes what a network sees in images: a mask an image, and where
// wished an overlay and the scores. It takes any number of images of any size; see
// docs/predict.md.
package predict

import (
	"context"
	"image"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/fcnx/fcnx/datasets"
)

// Network scores the pixels of batches; a [train.Engine] is one. Predictions have the
// size of the batch's labels, which is that of its images here.
type Network interface {
	// Masks returns the most likely class of every pixel, [N,LabelH,LabelW].
	Masks(*datasets.Batch) ([]uint8, error)
	// Logits returns the scores of every pixel, [N,classes,LabelH,LabelW].
	Logits(*datasets.Batch) ([]float32, error)
}

// Options say how and what.
type Options struct {
	Out     string           // directory of the outputs
	Overlay bool             // write NAME_overlay.png
	Logits  bool             // write NAME.npy
	Classes []datasets.Class // of the network

	// Height and Width are the size that the network was trained to see; its scores
	// are brought back to the image's own. 0: it sees images as they are.
	Height, Width int
	// Multiple is what the sides of such images are padded to a multiple of: 32, or 1
	// where the network pads by itself.
	Multiple int
	Batch    int // images, or tiles, at a time
	// MaxPixels is the largest image that is decoded, and how many pixels are decoded at
	// a time; 0: datasets.DefaultMaxPixels.
	MaxPixels int64
	Tile      int // images with a longer side are predicted in tiles; a multiple of 32, at least MinTile

	// Failed is told of a file that cannot be used; the others are done.
	Failed func(path string, err error)
	// Progress is told after each image.
	Progress func(done, of int)
}

// Summary counts images.
type Summary struct{ Done, Failed int }

// Run predicts the images. What it returns with an error counts what was done before:
// every output is whole or not there.
//
// The prediction of an image does not depend on the images beside it: images are
// grouped by their padded size, and never padded further to make groups larger.
func Run(ctx context.Context, network Network, inputs []Input, o Options) (Summary, error) {
	writers, ctx := errgroup.WithContext(ctx)
	writers.SetLimit(runtime.GOMAXPROCS(0))
	r := &runner{network: network, options: o, total: len(inputs), writers: writers}
	err := r.run(ctx, inputs)
	// What is being written is finished, whatever happened; and what a writer says is
	// the reason of the end, if there is one.
	if failed := writers.Wait(); failed != nil {
		return r.summary, failed
	}
	if r.summary.Done+r.summary.Failed == len(inputs) {
		return r.summary, nil // asked to stop after the last one was done
	}
	return r.summary, err
}

// Missing leaves out the inputs whose outputs are all there.
func (o Options) Missing(inputs []Input) []Input {
	var missing []Input
	for _, in := range inputs {
		if !o.done(in) {
			missing = append(missing, in)
		}
	}
	return missing
}

type runner struct {
	network Network
	options Options
	total   int
	summary Summary
	writers *errgroup.Group
}

func (r *runner) run(ctx context.Context, inputs []Input) error {
	files, err := readSizes(ctx, inputs, newImages(r.options.MaxPixels), r.failed)
	if err != nil {
		return err
	}
	var whole, large []file
	for _, f := range files {
		if r.options.Height == 0 && max(f.h, f.w) > r.options.Tile {
			large = append(large, f)
		} else {
			whole = append(whole, f)
		}
	}
	if len(whole) > 0 {
		if err := r.runWhole(ctx, whole); err != nil {
			return err
		}
	}
	for _, f := range large {
		if err := r.runTiled(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// did and failed count images; they are called by one goroutine.
func (r *runner) did() {
	r.summary.Done++
	r.options.Progress(r.summary.Done+r.summary.Failed, r.total)
}

func (r *runner) failed(path string, err error) {
	r.summary.Failed++
	r.options.Failed(path, err)
	r.options.Progress(r.summary.Done+r.summary.Failed, r.total)
}

// runWhole predicts images that are seen at once.
func (r *runner) runWhole(ctx context.Context, files []file) error {
	source := newSource(files, r.options)
	pass, err := datasets.NewEvaluation(ctx, source, datasets.LoaderConfig{
		Batch: r.options.Batch, Height: r.options.Height, Width: r.options.Width,
		Multiple: r.options.Multiple, Buckets: len(files),
	})
	if err != nil {
		return err
	}
	for b, err := range pass.Pass(ctx) {
		if err != nil {
			return err
		}
		predicted, err := r.predict(b)
		if err != nil {
			return err
		}
		for i, index := range b.Indices {
			f := files[index]
			img, err := source.take(index)
			if err != nil {
				r.failed(f.Path, err)
				continue
			}
			r.write(f, img, func(out *output) error {
				return predicted.put(out, i, tile{span{0, 0, f.h}, span{0, 0, f.w}})
			})
		}
	}
	return nil
}

// runTiled predicts a large image part by part, so that memory does not grow with it
// but for the image and its mask.
func (r *runner) runTiled(ctx context.Context, f file) error {
	img, err := f.read()
	if err != nil {
		r.failed(f.Path, err)
		return nil
	}
	out, err := newOutput(r.options, f.Input, f.h, f.w)
	if err != nil {
		return err
	}
	defer out.abandon()
	tiles, h, w := tilesOf(f.h, f.w, r.options.Tile, r.options.Multiple)
	for len(tiles) > 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n := min(len(tiles), r.options.Batch)
		predicted, err := r.predict(tileBatch(img, tiles[:n], r.options.Batch, h, w))
		if err != nil {
			return err
		}
		for i, t := range tiles[:n] {
			if err := predicted.put(out, i, t); err != nil {
				return err
			}
		}
		tiles = tiles[n:]
	}
	if err := out.finish(img); err != nil {
		return err
	}
	r.did()
	return nil
}

// write puts a prediction together and writes it, while the next is computed.
func (r *runner) write(f file, img *image.NRGBA, put func(*output) error) {
	r.did()
	r.writers.Go(func() error {
		out, err := newOutput(r.options, f.Input, f.h, f.w)
		if err != nil {
			return err
		}
		defer out.abandon()
		if err := put(out); err != nil {
			return err
		}
		return out.finish(img)
	})
}
