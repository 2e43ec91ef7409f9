package main

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event"
)

// measures are the paper's four (section 5), in percent.
type measures struct {
	PixelAccuracy event.Float `json:"pixel_accuracy"`
	MeanAccuracy  event.Float `json:"mean_accuracy"`
	MeanIoU       event.Float `json:"mean_iou"`
	FwIoU         event.Float `json:"fw_iou"`
}

func (m measures) values() [4]float64 {
	return [4]float64{float64(m.PixelAccuracy), float64(m.MeanAccuracy), float64(m.MeanIoU), float64(m.FwIoU)}
}

// published has the measures of the authors' released weights on seg11valid, as the
// README of wkentaro/fcn lists them to four digits; they agree with the mean IoU of
// the authors' own README (63.6, 65.0, 65.5, 65.4).
func published() map[string]measures {
	return map[string]measures{
		"fcn32s":        {90.4810, 76.4824, 63.6261, 83.4580},
		"fcn16s":        {90.9971, 78.0710, 65.0050, 84.2614},
		"fcn8s":         {91.2212, 77.6146, 65.5126, 84.5445},
		"fcn8s-at-once": {91.1288, 78.4979, 65.3998, 84.4326},
	}
}

// publishedNet is a network of the authors.
type publishedNet struct {
	name string
	measures
}

// publishedOf finds the network of the authors that m is one of.
func publishedOf(m train.ModelConfig) (publishedNet, error) {
	name := m.Arch
	if m.AtOnce {
		name += "-at-once"
	}
	found, ok := published()[name]
	if !ok {
		return publishedNet{}, fmt.Errorf("nothing was published of %s; there are fcn32s, fcn16s, fcn8s and fcn8s at once", name)
	}
	if m.Classes != 21 {
		return publishedNet{}, fmt.Errorf("it scores %d classes, and VOC has 21", m.Classes)
	}
	return publishedNet{name, found}, nil
}

// reproduction is what `reproduce voc --json` prints. Measures are in percent.
type reproduction struct {
	Model     string   `json:"model"`
	Weights   string   `json:"weights"`
	Data      string   `json:"data"`
	List      string   `json:"list"` // where the IDs come from
	Images    int      `json:"images"`
	Here      measures `json:"here"`
	Published measures `json:"published"`
	Tolerance float64  `json:"tolerance"` // percent points
	// Reproduced is null where other images than the 736 were scored.
	Reproduced *bool                   `json:"reproduced"`
	ClassIoU   map[string]*event.Float `json:"class_iou"` // fractions
	Backend    string                  `json:"backend"`
	Version    string                  `json:"version"`
	Seconds    float64                 `json:"seconds"`
}

func newReproduction(paper publishedNet, result train.Result, classes []datasets.Class) *reproduction {
	record := result.Record(classNames(classes))
	return &reproduction{
		Model: paper.name, Images: result.Samples, Published: paper.measures, ClassIoU: record.ClassIoU,
		Here: measures{100 * record.PixelAccuracy, 100 * record.MeanAccuracy, 100 * record.MeanIoU, 100 * record.FwIoU},
	}
}

// judge compares, where the images are as many as were published on.
func (r *reproduction) judge(tolerance float64) {
	r.Tolerance = tolerance
	if r.Images != datasets.Seg11Valid {
		return
	}
	near := true
	published := r.Published.values()
	for i, here := range r.Here.values() {
		near = near && math.Abs(here-published[i]) <= tolerance // so written, NaN is far off
	}
	r.Reproduced = &near
}

// print is for people.
func (r *reproduction) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "%s\tpixel acc.\tmean acc.\tmean IoU\tfw IoU\t\n", r.Model)
	row := func(name, format string, v [4]float64) {
		fmt.Fprintf(table, "%s", name)
		for _, x := range v {
			fmt.Fprintf(table, "\t"+format, x)
		}
		fmt.Fprint(table, "\t\n")
	}
	here, published := r.Here.values(), r.Published.values()
	var difference [4]float64
	for i := range difference {
		difference[i] = here[i] - published[i]
	}
	row("here", "%.4f", here)
	row("published", "%.4f", published)
	row("difference", "%+.4f", difference)
	if err := table.Flush(); err != nil {
		return err
	}
	verdict := fmt.Sprintf("no verdict: the published numbers are of the %d images of seg11valid, and these are %d", datasets.Seg11Valid, r.Images)
	switch {
	case r.Reproduced == nil:
	case *r.Reproduced:
		verdict = fmt.Sprintf("reproduced: all four within %g of the published", r.Tolerance)
	default:
		verdict = fmt.Sprintf("not reproduced: not all four are within %g of the published", r.Tolerance)
	}
	_, err := fmt.Fprintf(w, "\n%s\n", verdict)
	return err
}
