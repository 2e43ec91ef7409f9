package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// initValues finds the variables that a new run takes over from the run or the file
// of weights that model.init names: those of an equal network, or what a finer net
// shares with a coarser one. All others start fresh; summary says which.
//
// A network that was trained on other pixels (channels swapped, another mean) would
// start from weights that mean something else, and nobody would notice but by the
// result. So that is an error.
func initValues(target train.Config, warn func(string)) (values train.Values, summary string, err error) {
	source, err := openInit(target, warn)
	if err != nil {
		return nil, "", err
	}
	shared, fresh, err := models.TakeOver(source.config.Network(), target.Network())
	if err == nil {
		err = samePreprocess(source.config, target)
	}
	if err != nil {
		source.Close()
		return nil, "", fmt.Errorf("%s: %w", source.source, err)
	}
	summary = fmt.Sprintf("took over %d of %d variables from %s", len(shared), len(shared)+len(fresh), source.source)
	if len(fresh) > 0 {
		var paths []string
		for _, v := range fresh {
			paths = append(paths, v.Path())
		}
		summary += "; fresh: " + strings.Join(paths, ", ")
	}
	return onlyValues{source.values, shared}, summary, nil
}

// openInit opens the source. A file that does not say what it is has to be the new
// run's own network, or a coarser one: which of the three its skips tell.
func openInit(target train.Config, warn func(string)) (*network, error) {
	path := target.Model.Init
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return openNetwork(path, networkFlags{step: -1}, warn)
	}
	meta, err := weightsMetadata(path)
	if err != nil {
		return nil, err
	}
	if meta[metaConfig] != "" {
		return openNetwork(path, networkFlags{step: -1}, warn)
	}
	n := &network{config: target, source: path}
	if n.config.Model.Arch, err = archOf(path); err != nil {
		return nil, err
	}
	warn(fmt.Sprintf("%s does not say how its network saw pixels: taken for model.geometry = %q and [preprocess] as they are here", path, target.Model.Geometry))
	return n, n.openWeights(path)
}

// samePreprocess lists the keys of [preprocess] that differ.
func samePreprocess(source, target train.Config) error {
	changes := slices.DeleteFunc(train.Diff(source, target), func(c train.Change) bool { return !strings.HasPrefix(c.Key, "preprocess.") })
	if len(changes) == 0 {
		return nil
	}
	text := "its network was trained on other pixels:"
	for _, c := range changes {
		text += fmt.Sprintf("\n  %s: %s in the source, %s here", c.Key, c.Old, c.New)
	}
	return errors.New(text + "\nset these keys as the source has them")
}
