package main

import (
	"errors"
	"fmt"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
)

// openSkips begins the account of the samples that a run cannot use.
func openSkips(c train.DataConfig, data *trainData, warn func(string)) train.Skips {
	return train.Skips{
		Share: c.MaxSkipped, Train: data.train.SamplesPerEpoch(), Val: data.val.Samples(), Note: warn,
	}
}

// tellSkips closes it.
func tellSkips(s train.Skips, warn func(string)) {
	if s.Total > 0 {
		warn(fmt.Sprintf("blank images took the place of %d samples that could not be used; a sample counts each time that the run came to it", s.Total))
	}
}

// howToGoOn adds to a sample that has ended a run what can be done about it.
func howToGoOn(err error, c train.DataConfig) error {
	var bad *datasets.SampleError
	if !errors.As(err, &bad) || c.BadSamples == train.BadSkip {
		return err
	}
	return fmt.Errorf("%w; mend it and go on with --resume, or have such samples skipped: --resume --allow-change --set data.bad_samples=%s", err, train.BadSkip)
}
