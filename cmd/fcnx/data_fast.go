package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
)

// dataCheck is what is asked of a data set before it is used: a run must not end in its
// third hour for a file that was missing in the first minute.
type dataCheck struct {
	spec, split string
	count       bool    // read pixels too, since labels must be counted
	skip        float64 // the share that may be bad, as data.max_skipped says; 0: none
	warn        func(string)
}

// run looks at all headers, and at pixels until one has a label.
func (c dataCheck) run(ctx context.Context, source datasets.Source) (datasets.Summary, error) {
	var named []error
	summary, err := datasets.Check(ctx, source, c.count, func(bad *datasets.SampleError) {
		if len(named) < 5 {
			named = append(named, bad)
		}
	})
	if err != nil {
		return summary, err
	}
	if summary.Bad > 0 {
		problem := fmt.Errorf("%d of %d %s samples cannot be used; `fcnx data check '%s'` lists them all:\n%w",
			summary.Bad, summary.Samples, c.split, c.spec, errors.Join(named...))
		if summary.Bad > train.Skippable(c.skip, summary.Samples) {
			return summary, c.tooMany(problem, summary)
		}
		c.warn(problem.Error())
	}
	if summary.Doubtful > 0 {
		c.warn(doubtfulText(summary.Doubtful, summary.Samples, c.split))
	}
	if summary.Samples == 0 {
		return summary, noSamples(c.spec, c.split)
	}
	labelled, err := datasets.Labelled(ctx, source)
	if err == nil && !labelled {
		err = fmt.Errorf("%s: no pixel of the %d %s samples has a label that counts: all masks are %d, or none can be read; `fcnx data check` says which",
			c.spec, summary.Samples, c.split, datasets.Ignore)
	}
	return summary, err
}

// tooMany adds to the problem that some of it would have been let pass.
func (c dataCheck) tooMany(problem error, summary datasets.Summary) error {
	if c.skip == 0 {
		return problem
	}
	return fmt.Errorf("data.max_skipped = %g lets %d samples be skipped, and %w", c.skip, train.Skippable(c.skip, summary.Samples), problem)
}

// doubtfulText says what may be wrong where nobody has said what is meant.
func doubtfulText(doubtful, samples int, split string) string {
	return fmt.Sprintf("%d of %d %s images have an EXIF orientation, and are taken as they are stored, as PIL and torchvision do. "+
		"Masks drawn over upright images (labelme, CVAT, OpenCV) need ?exif=apply in the SPEC; ?exif=ignore says that these were not",
		doubtful, samples, split)
}
