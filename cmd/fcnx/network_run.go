package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// openRunNetwork opens a checkpoint of a run.
func openRunNetwork(dir string, flags networkFlags, warn func(string)) (*network, error) {
	run, err := checkpoints.OpenRun(dir)
	if err != nil {
		return nil, err
	}
	config, err := checkpoints.ReadText(run.ConfigPath())
	if err != nil {
		return nil, err
	}
	n := &network{isRun: true, named: true}
	if n.config, err = loadNetworkConfig(train.Sources{Path: run.ConfigPath(), File: config}); err != nil {
		return nil, err
	}
	names := filepath.Join(dir, classesName)
	text, err := checkpoints.ReadText(names)
	if err != nil {
		return nil, err
	}
	if err := n.parseClasses(names, text); err != nil {
		return nil, err
	}
	checkpoint, which, err := openCheckpoint(run, flags, warn)
	if err != nil {
		return nil, err
	}
	if foreignTo(run, config, checkpoint.Meta) {
		warn(fmt.Sprintf("checkpoint %s was saved with another config.toml than the one in %s: one of them was changed, or is another run's", checkpoint.Name, dir))
	}
	if stage := checkpoint.Meta.Stage; stage != nil {
		which += fmt.Sprintf(", stage %d of %d", stage.Index, len(n.config.Stages()))
	}
	if n.config, err = atStage(n.config, checkpoint.Meta); err != nil {
		return nil, errors.Join(err, checkpoint.Close())
	}
	vars := n.config.Network().Variables()
	if err := fitsCheckpoint(checkpoint.Variables, vars); err != nil {
		return nil, errors.Join(err, checkpoint.Close())
	}
	n.values = onlyValues{checkpointValues(checkpoint), vars}
	n.step = fmt.Sprint(checkpoint.Meta.Step)
	n.source = fmt.Sprintf("%s (step %s%s)", dir, n.step, which)
	n.close = checkpoint.Close
	return n, nil
}

// foreignTo tells whether a run's newest checkpoint was saved with another configuration.
// An older one may have been: what --allow-change changes counts from the next save on.
func foreignTo(run *checkpoints.Run, config []byte, meta checkpoints.Meta) bool {
	steps, err := run.Steps()
	if err != nil || len(steps) == 0 || meta.Step != steps[len(steps)-1] || meta.Config == "" {
		return false
	}
	return meta.Config != configDigest(config)
}

// openCheckpoint chooses a checkpoint, and says in words which it is.
func openCheckpoint(run *checkpoints.Run, flags networkFlags, warn func(string)) (*checkpoints.Checkpoint, string, error) {
	which := flags.which
	if which == "" {
		// A run that was never scored has no best checkpoint, and its last is meant.
		which = "last"
		if _, err := os.Stat(filepath.Join(run.Dir, "BEST")); err == nil {
			which = "best"
		}
	}
	var c *checkpoints.Checkpoint
	var err error
	switch {
	case flags.step >= 0:
		c, err = run.At(flags.step)
		return c, "", err
	case which == "best":
		c, err = run.Best(warn)
		if err != nil && flags.which == "" {
			warn(fmt.Sprintf("%v; the last one is taken", err))
			which = "last"
			c, err = run.Newest(warn)
		}
	default:
		c, err = run.Newest(warn)
	}
	return c, ", the " + which, err
}

// fitsCheckpoint is an error unless the file has all variables of the network. The
// optimiser's slots beside them are no one's business here.
func fitsCheckpoint(file *checkpoints.File, vars []models.Variable) error {
	values := fileValues{file}
	if err := missingFrom(values, file.Path(), vars); err != nil {
		return err
	}
	for _, v := range vars {
		if dtype, _, _ := values.Find(v.Path()); dtype != "F32" {
			return fmt.Errorf("%s: %s is %s, and a network's variables are F32", file.Path(), v.Path(), dtype)
		}
	}
	return nil
}

// missingFrom is an error unless values has all variables, in their shapes.
func missingFrom(values train.Values, path string, vars []models.Variable) error {
	mismatch := &weights.MismatchError{Path: path}
	for _, v := range vars {
		switch _, shape, ok := values.Find(v.Path()); {
		case !ok:
			mismatch.Missing = append(mismatch.Missing, weights.Difference{Name: v.Path(), Network: v.Shape})
		case !slices.Equal(shape, v.Shape):
			mismatch.Misshapen = append(mismatch.Misshapen, weights.Difference{Name: v.Path(), File: shape, Network: v.Shape})
		}
	}
	if len(mismatch.Missing)+len(mismatch.Misshapen) > 0 {
		return mismatch
	}
	return nil
}
