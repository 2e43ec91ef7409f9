package predict

import (
	"image"

	"github.com/fcnx/fcnx/datasets"
)

// prediction is what the network says of a batch: masks, or where more than those is
// needed logits.
type prediction struct {
	batch   *datasets.Batch
	classes int
	resized bool      // the images have another size than their predictions
	masks   []uint8   // [N,H,W]
	logits  []float32 // [N,classes,H,W]; nil when masks is not
}

// predict asks the network. Masks are a small part of the bytes of logits; but where
// images were resized they can only be made after the logits were brought back to
// the image's size.
func (r *runner) predict(b *datasets.Batch) (prediction, error) {
	p := prediction{batch: b, classes: len(r.options.Classes), resized: r.options.Height > 0}
	var err error
	if r.options.Logits || p.resized {
		p.logits, err = r.network.Logits(b)
	} else {
		p.masks, err = r.network.Masks(b)
	}
	return p, err
}

// put takes from sample i of the batch that for which t speaks. A whole image is one
// tile; where it was resized, its scores are stretched over it.
func (p prediction) put(out *output, i int, t tile) error {
	own := t.own()
	top, left := own.Min.Y-t.rows.start, own.Min.X-t.cols.start
	if p.masks != nil {
		for y := range own.Dy() {
			from := p.masks[(i*p.batch.LabelH+top+y)*p.batch.LabelW+left:]
			copy(out.maskRow(own, y), from)
		}
		return nil
	}
	h, w := own.Dy(), own.Dx()
	if p.resized {
		h, w = int(p.batch.Sizes[2*i]), int(p.batch.Sizes[2*i+1])
	}
	s := scoresOf(p.logits, i, p.classes, p.batch.LabelH, p.batch.LabelW, h, w)
	return s.part(top, left, h, w).eachRow(own.Dy(), own.Dx(), func(y int, row [][]float32) error {
		best(row, out.maskRow(own, y))
		if out.logits == nil {
			return nil
		}
		for class, scores := range row {
			if err := out.logits.putRow(class, own.Min.Y+y, own.Min.X, scores); err != nil {
				return err
			}
		}
		return nil
	})
}

// maskRow is row y of the part own of the mask.
func (o *output) maskRow(own image.Rectangle, y int) []uint8 {
	return o.mask.Pix[(own.Min.Y+y)*o.mask.Stride+own.Min.X:][:own.Dx()]
}
