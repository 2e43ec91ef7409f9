package main

import (
	"fmt"

	"github.com/fcnx/fcnx/train"
)

// describeLearning says, for the first notes of a run, which layers learn at which rate,
// and what a rate on the sum is on the mean. It warns of what is likely a mistake; its
// error is for a rate that could only diverge. fresh says that no weights are taken over.
func describeLearning(config train.Config, pixels float64, fresh bool, warn func(string)) (notes []string, err error) {
	cfg, vars := config.Train, config.Network().Variables()
	if summary := cfg.GroupSummary(vars); summary != "" {
		notes = append(notes, summary)
	}
	if cfg.Loss == "sum" && cfg.Optimizer == "sgd" {
		notes = append(notes, cfg.Rate(pixels).String())
	}
	if norms := cfg.MovingNorms(vars); norms != "" {
		warn(fmt.Sprintf("train.freeze: the convolutions before %s are frozen, but these learn on and their averages move; add \"bn*\" or the like to keep what the layers give", norms))
	}
	warnings, err := cfg.Judge(vars, pixels, fresh)
	for _, text := range warnings {
		warn(text)
	}
	return notes, err
}
