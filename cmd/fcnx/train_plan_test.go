package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train"
)

// Every flag that is short for a key is short for one that there is.
func TestFlagsAreKeys(t *testing.T) {
	var options trainOptions
	options.register(new(cobra.Command))
	require.NotEmpty(t, options.keys)
	for _, f := range options.keys {
		require.Contains(t, train.Keys(), f.key, "--%s", f.name)
	}
}

// A key whose name here is misspelt would be one that may change in mid-run.
func TestFixedKeys(t *testing.T) {
	var fixed []string
	for _, key := range train.Keys() {
		if fixedKey(key) {
			fixed = append(fixed, key)
			require.False(t, train.Change{Key: key}.Harmless(), key)
		}
	}
	require.Equal(t, []string{
		"run.seed",
		"model.arch", "model.encoder", "model.width", "model.head", "model.classes", "model.upsample", "model.geometry",
		"model.at_once", "model.init", "model.init_parts", "model.init_preprocess", "model.init_order",
		"train.batch", "train.optimizer", "train.momentum", "train.bias_lr", "train.encoder_lr", "train.head_lr", "train.freeze", "train.rates",
	}, fixed)
}

// The variables that are for other things than the configuration are left alone, and
// hide no key.
func TestNotKeys(t *testing.T) {
	for _, name := range notKeys() {
		_, _, err := train.Load(train.Sources{Environ: []string{name + "=x"}})
		require.ErrorContains(t, err, "no such key", name)
		_, _, err = train.Load(train.Sources{Environ: []string{name + "=x"}, NotKeys: notKeys()})
		require.NoError(t, err)
	}
}

func TestLatestRun(t *testing.T) {
	out := t.TempDir()
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	// Each is written later than the one before it.
	for _, r := range []struct {
		name string
		sets []string
	}{
		{"shapes-fast", []string{"data.spec=shapes", "train.lr=0.5", "data.workers=3"}},
		{"shapes", []string{"data.spec=shapes"}},
		{"camvid", []string{"data.spec=camvid:CamVid"}},
	} {
		at = at.Add(time.Hour)
		makePlannedRun(t, filepath.Join(out, r.name), at, r.sets...)
	}
	// What is no run, or was never under way, is passed over.
	require.NoError(t, os.Mkdir(filepath.Join(out, "photos"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(out, "notes.txt"), nil, 0o666))
	makePlannedRun(t, filepath.Join(out, "silent"), at)
	require.NoError(t, os.Remove(filepath.Join(out, "silent", "events.jsonl")))

	latest := func(out string, sets ...string) (string, error) {
		config, origins := wanted(t, out, sets...)
		return latestRun(config, origins, at)
	}
	for _, test := range []struct {
		sets []string
		want string
	}{
		{nil, "camvid"},
		{[]string{"data.spec=camvid:CamVid"}, "camvid"},
		{[]string{"data.spec=shapes"}, "shapes"},
		{[]string{"data.spec=shapes", "train.lr=0.5"}, "shapes-fast"},
		{[]string{"data.spec=shapes", "train.lr=0.5", "data.workers=7", "run.ui=json"}, "shapes-fast"},
		{[]string{"train.lr=0.25"}, ""},
		{[]string{"run.name=shapes-fast"}, "shapes-fast"},
		// What else is said of a run that is named is for others to refuse.
		{[]string{"run.name=shapes", "train.lr=0.25"}, "shapes"},
		{[]string{"run.name=new"}, ""},
		{[]string{"run.name=photos"}, ""},
	} {
		got, err := latest(out, test.sets...)
		require.NoError(t, err, test.sets)
		if test.want != "" {
			test.want = filepath.Join(out, test.want)
		}
		require.Equal(t, test.want, got, test.sets)
	}

	got, err := latest(filepath.Join(out, "nowhere"))
	require.NoError(t, err)
	require.Empty(t, got, "a directory that will be made has no runs")
	_, err = latest(filepath.Join(out, "notes.txt"))
	require.ErrorContains(t, err, "notes.txt")
	// A run that cannot be read might have been the one.
	path := filepath.Join(out, "camvid", "config.toml")
	require.NoError(t, os.WriteFile(path, []byte("[train]\nbacth = 1\n"), 0o666))
	_, err = latest(out)
	require.ErrorContains(t, err, path+":2:1: train.bacth: no such key")
}

// Where the clock was set back between two runs that would do, neither is taken for the
// last one. Where there is but one, no clock is needed.
func TestLatestRunAfterTheClockWasSetBack(t *testing.T) {
	out := t.TempDir()
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	makePlannedRun(t, filepath.Join(out, "of-tomorrow"), at.Add(24*time.Hour), "data.spec=shapes")
	config, origins := wanted(t, out, "data.spec=shapes")
	got, err := latestRun(config, origins, at)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(out, "of-tomorrow"), got)

	makePlannedRun(t, filepath.Join(out, "of-today"), at, "data.spec=shapes")
	makePlannedRun(t, filepath.Join(out, "other"), at, "data.spec=camvid:CamVid")
	_, err = latestRun(config, origins, at)
	require.EqualError(t, err, filepath.Join(out, "of-tomorrow")+" was last written 24h0m0s from now, by the clock: it was set back, and which of 2 runs below "+
		out+" was the last cannot be told; name it, as in --resume="+filepath.Join(out, "of-tomorrow"))
	got, err = latestRun(config, origins, at.Add(24*time.Hour-clockSlack))
	require.NoError(t, err, "the clock of a file server is a little ahead")
	require.Equal(t, filepath.Join(out, "of-tomorrow"), got)
	config, origins = wanted(t, out, "run.name=of-today")
	got, err = latestRun(config, origins, at)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(out, "of-today"), got)
}

// wanted is what a command line with these settings asks for.
func wanted(t *testing.T, out string, sets ...string) (train.Config, train.Origins) {
	config, origins, err := train.Load(train.Sources{Sets: append([]string{"run.out=" + out}, sets...)})
	require.NoError(t, err)
	return config, origins
}

// makePlannedRun makes a run directory that was last written at a time.
func makePlannedRun(t *testing.T, dir string, at time.Time, sets ...string) {
	config, _, err := train.Load(train.Sources{Sets: sets})
	require.NoError(t, err)
	text, err := config.TOML()
	require.NoError(t, err)
	run, err := checkpoints.Create(dir, text, at)
	require.NoError(t, err)
	require.NoError(t, run.Close())
	require.NoError(t, os.WriteFile(run.EventsPath(), nil, 0o666))
	require.NoError(t, os.Chtimes(run.EventsPath(), at, at))
}

// A run that is resumed has a configuration of its own, whatever the defaults are by
// then; only what is said now is compared.
func TestPlanResumeKeepsWhatWasSaid(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	makePlannedRun(t, dir, time.Now(), "data.spec=shapes", "train.steps=7", "train.lr=0.5", "model.classes=7")

	var warned []string
	options := trainOptions{resume: dir}
	plan, err := options.planResume(train.Sources{Sets: []string{"data.workers=2"}}, func(s string) { warned = append(warned, s) })
	require.NoError(t, err)
	require.Equal(t, 0.5, plan.config.Train.LR)
	require.Equal(t, 7, plan.config.Model.Classes)
	require.Equal(t, 2, plan.config.Data.Workers)
	require.Equal(t, []train.Change{{Key: "data.workers", Old: "0", New: "2"}}, plan.changes)
	require.Empty(t, warned)

	// What the run has already is no change, and one way to say how long replaces the other.
	options.allowChange = true
	plan, err = options.planResume(train.Sources{Sets: []string{"train.lr=0.5", "train.epochs=3"}}, nil)
	require.NoError(t, err)
	require.Zero(t, plan.config.Train.Steps)
	require.Equal(t, 3.0, plan.config.Train.Epochs)
	var changed []string
	for _, change := range plan.changes {
		changed = append(changed, change.String())
	}
	require.Equal(t, "train.epochs: 3.0, was 0.0", strings.Join(changed, "; "))
}

// A run that was begun before a dashboard goes on where there is no terminal, unless
// one is asked for again. How it was begun stays in its configuration.
func TestPlanResumeAsksWhoWatchesNow(t *testing.T) {
	t.Setenv(trainerVariable, "")
	require.NoError(t, os.Unsetenv(trainerVariable))
	here := terminal{width: 100, height: 40, environ: []string{"TERM=xterm"}}
	for _, test := range []struct {
		stored, said string
		here         terminal
		want, err    string
	}{
		{"tui", "", terminal{}, "plain", ""},
		{"tui", "", here, "tui", ""},
		{"json", "", terminal{}, "plain", ""},
		{"json", "none", terminal{}, "none", ""},
		{"plain", "json", here, "json", ""},
		{"tui", "tui", terminal{}, "", "--ui tui needs a terminal"},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		makePlannedRun(t, dir, time.Now(), "data.spec=shapes", "train.steps=7", "run.ui="+test.stored)
		var sources train.Sources
		if test.said != "" {
			sources.Environ = []string{"FCNX_RUN_UI=" + test.said}
		}
		options := trainOptions{resume: dir}
		plan, err := options.planResume(sources, nil)
		require.NoError(t, err)
		got, err := plan.ui(test.here)
		require.Equal(t, test.want, got, test)
		if test.err != "" {
			require.ErrorContains(t, err, test.err)
			continue
		}
		require.NoError(t, err)
		if test.said == "" {
			require.Equal(t, test.stored, plan.config.Run.UI)
			require.Empty(t, plan.changes)
		}
	}
}
