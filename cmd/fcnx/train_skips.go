package main

import (
	"fmt"

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
