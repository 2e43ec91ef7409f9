package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train"
)

// planResume returns nil where there is no run yet to go on with: `--resume` in a
// job that is started over and over must also start it the first time. The keys that are
// found out are those of the run, whatever was asked.
func (o *trainOptions) planResume(asked train.Sources, warn func(string), found ...string) (*trainPlan, error) {
	wanted, origins, err := train.Load(asked)
	if err != nil {
		return nil, err
	}
	for _, key := range found {
		delete(origins, key)
	}
	dir := o.resume
	if dir == latest {
		if dir, err = latestRun(wanted, origins, time.Now()); err != nil {
			return nil, err
		}
		if dir == "" {
			if wanted.Data.Spec == "" {
				return nil, fmt.Errorf("there is no run below %s to go on with; name it, as in --resume=runs/NAME", wanted.Run.Out)
			}
			warn(fmt.Sprintf("there is no run below %s to go on with, so a new one begins", wanted.Run.Out))
			return nil, nil
		}
	}
	run, err := checkpoints.OpenRun(dir)
	if err != nil {
		return nil, err
	}
	file, err := checkpoints.ReadText(run.ConfigPath())
	if err != nil {
		return nil, err
	}
	stored, err := validConfig(train.Sources{Path: run.ConfigPath(), File: file})
	if err != nil {
		return nil, err
	}
	p := &trainPlan{config: stored, resumed: run, stored: file, allowed: o.allowChange, watched: "auto"}
	if _, said := origins["run.ui"]; said {
		p.watched = wanted.Run.UI
	}
	var sets, refused, never []string
	for _, change := range train.Diff(stored, wanted) {
		if _, said := origins[change.Key]; !said || change.Key == "run.name" || change.Key == "run.out" {
			continue
		}
		switch {
		case change.Harmless():
		case fixedKey(change.Key):
			never = append(never, change.String())
		case !o.allowChange:
			refused = append(refused, change.String())
		}
		sets = append(sets, change.Key+"="+change.New)
		p.changes = append(p.changes, change)
	}
	if len(never) > 0 {
		return nil, fmt.Errorf("this cannot change in the middle of %s: %s; leave that out, or begin a new run with --init=%s", dir, strings.Join(never, "; "), dir)
	}
	if len(refused) > 0 {
		return nil, fmt.Errorf("%s was started with another configuration: %s; leave that out, or say --allow-change", dir, strings.Join(refused, "; "))
	}
	if len(sets) > 0 {
		p.config, err = validConfig(train.Sources{Path: run.ConfigPath(), File: file, Sets: sets})
	}
	return p, err
}

// fixedKey tells which keys decide what variables there are, or how the stream of
// samples is cut: with another value a checkpoint means nothing. Stages are laid out
// when a run begins, so that none of their keys changes either.
func fixedKey(key string) bool {
	switch key {
	case "model.dropout":
		return false
	case "run.seed", "train.batch", "train.optimizer", "train.momentum", "train.freeze", "train.rates",
		"train.bias_lr", "train.encoder_lr", "train.head_lr":
		return true
	}
	return strings.HasPrefix(key, "model.") || train.IsStageKey(key)
}

// latestRun finds the run of that name, or where none is said the last written one
// below out that agrees with all that was said: of two jobs that share a directory,
// each finds its own. It is "" where there is none. Where there are several and one is
// from after now, the clock was set back, and which one was the last cannot be told.
func latestRun(wanted train.Config, origins train.Origins, now time.Time) (string, error) {
	c := wanted.Run
	if c.Name != "" {
		// A process that was killed early may have left the directory and nothing in
		// it; a directory with anything else in it is refused by who makes the run.
		run := checkpoints.Run{Dir: filepath.Join(c.Out, c.Name)}
		if _, err := os.Stat(run.ConfigPath()); errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return run.Dir, nil
	}
	entries, err := os.ReadDir(c.Out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	newest, when := "", time.Time{}
	agreeing := 0
	for _, entry := range entries {
		run, err := checkpoints.OpenRun(filepath.Join(c.Out, entry.Name()))
		if err != nil {
			continue
		}
		info, err := os.Stat(run.EventsPath())
		if err != nil {
			continue
		}
		file, err := checkpoints.ReadText(run.ConfigPath())
		var stored train.Config
		if err == nil {
			stored, _, err = train.Load(train.Sources{Path: run.ConfigPath(), File: file})
		}
		if err != nil && info.ModTime().After(when) {
			return "", err
		}
		if err != nil {
			continue // it would not have been taken anyway
		}
		agrees := !slices.ContainsFunc(train.Diff(stored, wanted), func(change train.Change) bool {
			_, said := origins[change.Key]
			return said && !change.Harmless()
		})
		if !agrees {
			continue
		}
		agreeing++
		if info.ModTime().After(when) {
			newest, when = run.Dir, info.ModTime()
		}
	}
	if ahead := when.Sub(now); agreeing > 1 && ahead > clockSlack {
		return "", fmt.Errorf("%s was last written %v from now, by the clock: it was set back, and which of %d runs below %s was the last cannot be told; name it, as in --resume=%s",
			newest, ahead.Round(time.Minute), agreeing, c.Out, newest)
	}
	return newest, nil
}

// clockSlack is how far the clock of a file server, or of another host, may be ahead.
const clockSlack = 10 * time.Minute
