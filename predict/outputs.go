package predict

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fcnx/fcnx/datasets"
)

// kinds of output and how their files end.
const (
	maskSuffix    = ".png"
	overlaySuffix = "_overlay.png"
	logitSuffix   = ".npy"
)

// suffixes are those of the wanted kinds.
func (o Options) suffixes() []string {
	suffixes := []string{maskSuffix}
	if o.Overlay {
		suffixes = append(suffixes, overlaySuffix)
	}
	if o.Logits {
		suffixes = append(suffixes, logitSuffix)
	}
	return suffixes
}

// path is where an output goes.
func (o Options) path(in Input, suffix string) string {
	return filepath.Join(o.Out, filepath.FromSlash(in.Name+suffix))
}

// Check is an error when two inputs would write the same file, or an output would
// take the place of an input. Give it all inputs, before they are divided into
// shards, so that all shards agree.
func (o Options) Check(inputs []Input) error {
	read := map[string]bool{}
	for _, in := range inputs {
		read[real(in.Path)] = true
	}
	writer := map[string]Input{}
	for _, in := range inputs {
		for _, suffix := range o.suffixes() {
			path := o.path(in, suffix)
			if first, taken := writer[path]; taken {
				return fmt.Errorf("%s and %s would both be written to %s; rename one, or predict them into two directories", first.Path, in.Path, path)
			}
			writer[path] = in
			if read[real(path)] {
				return fmt.Errorf("%s would be written over the image that is there; choose another --out", path)
			}
		}
	}
	return nil
}

// real is an absolute path without links, as far as it exists.
func real(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for exists, rest := absolute, ""; ; {
		if resolved, err := filepath.EvalSymlinks(exists); err == nil {
			return filepath.Join(resolved, rest)
		}
		parent := filepath.Dir(exists)
		if parent == exists {
			return absolute
		}
		exists, rest = parent, filepath.Join(filepath.Base(exists), rest)
	}
}

// done tells whether all outputs of an input are there. They are whole if they are
// there at all.
func (o Options) done(in Input) bool {
	for _, suffix := range o.suffixes() {
		if _, err := os.Stat(o.path(in, suffix)); err != nil {
			return false
		}
	}
	return true
}

// output is the prediction of one image while it is put together.
type output struct {
	options Options
	in      Input
	mask    *image.Gray
	logits  *npy // nil unless wanted
}

// newOutput makes room for the prediction of an image of h x w pixels.
func newOutput(o Options, in Input, h, w int) (*output, error) {
	out := &output{options: o, in: in, mask: image.NewGray(image.Rect(0, 0, w, h))}
	if err := os.MkdirAll(filepath.Dir(o.path(in, maskSuffix)), 0o777); err != nil {
		return nil, err
	}
	if o.Logits {
		var err error
		if out.logits, err = createNPY(o.path(in, logitSuffix), len(o.Classes), h, w); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// finish writes what is wanted. img is the image itself, for the overlay.
func (o *output) finish(img *image.NRGBA) error {
	if o.logits != nil {
		if err := o.logits.commit(); err != nil {
			return err
		}
	}
	if o.options.Overlay {
		overlay := datasets.Overlay(img, o.mask, o.options.Classes, opacity)
		if err := writePNG(o.options.path(o.in, overlaySuffix), overlay); err != nil {
			return err
		}
	}
	// Same bytes, read as indices instead of greys.
	paletted := &image.Paletted{Pix: o.mask.Pix, Stride: o.mask.Stride, Rect: o.mask.Rect, Palette: datasets.MaskPalette(o.options.Classes)}
	return writePNG(o.options.path(o.in, maskSuffix), paletted)
}

// abandon leaves nothing behind.
func (o *output) abandon() {
	if o.logits != nil {
		o.logits.abandon()
	}
}

func writePNG(path string, img image.Image) error {
	return replace(path, func(w io.Writer) error {
		return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, img)
	})
}

// partial is what a file is called until it is whole.
func partial(path string) string { return path + ".tmp" }

// createPartial makes that file anew, in the place of what a killed process has left
// there or of a link, which is not followed.
func createPartial(path string) (*os.File, error) {
	path = partial(path)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
}

// replace puts what write writes at path, all of it or nothing.
func replace(path string, write func(io.Writer) error) error {
	file, err := createPartial(path)
	if err != nil {
		return err
	}
	err = errors.Join(write(file), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
