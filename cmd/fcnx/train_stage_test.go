package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
)

const stagedConfig = `
[data]
spec = "shapes?n=8&val_n=2&size=32x32"
[model]
encoder = "vgg11"
width = 1
head = 2
[train]
batch = 2
lr = 0.5
[[stage]]
arch = "fcn32s"
steps = 5
[[stage]]
name = "middle"
arch = "fcn16s"
epochs = 2.5
lr = 0.25
warmup = 2
schedule = "constant"
[[stage]]
arch = "fcn8s"
steps = 1
`

func openStages(t *testing.T, text string) (stages, train.Config, error) {
	config, err := validConfig(train.Sources{File: []byte(text)})
	require.NoError(t, err)
	data, err := openTrainData(t.Context(), &config, func(text string) { t.Errorf("warning: %s", text) })
	require.NoError(t, err)
	all, err := stagesOf(config, data, true, func(string) {})
	return all, config, err
}

// spans are the steps of stages.
func spans(all stages) string {
	text := ""
	for _, s := range all {
		text += fmt.Sprintf("%s (%d,%d] ", s.name, s.from, s.to)
	}
	return text
}

func TestStagesAreLaidOut(t *testing.T) {
	all, _, err := openStages(t, stagedConfig)
	require.NoError(t, err)
	require.Equal(t, "fcn32s (0,5] middle (5,15] fcn8s (15,16] ", spans(all))
	require.Equal(t, int64(16), all.steps())
	// Each warms up by itself, over its own steps.
	require.Equal(t, []float64{0.125, 0.25, 0.25}, []float64{all[1].rate(5), all[1].rate(6), all[1].rate(14)})
	require.Equal(t, 0.5, all[0].rate(0))
	for step, want := range map[int64]string{
		0: "", 1: " (stage 1 of 3, fcn32s)", 5: " (stage 1 of 3, fcn32s)", 6: " (stage 2 of 3, middle)", 16: " (stage 3 of 3, fcn8s)", 17: "",
	} {
		require.Equal(t, want, all.at(step), step)
	}

	// A run without stages has one, of which nobody speaks.
	one, _, err := openStages(t, "data = {spec = 'shapes?n=8&val_n=2&size=32x32'}\ntrain = {steps = 3}\n")
	require.NoError(t, err)
	require.Equal(t, "fcn8s (0,3] ", spans(one))
	require.True(t, one[0].last())
	require.Nil(t, one[0].meta())
	require.Nil(t, one[0].note())
	require.Empty(t, one.at(2))
}

// A checkpoint tells of which stage it is, and where that began: data that has changed
// since may have made the stages before it longer.
func TestStageOfACheckpoint(t *testing.T) {
	all, config, err := openStages(t, stagedConfig)
	require.NoError(t, err)
	s, err := all.of(checkpoints.Meta{Step: 9, Stage: &checkpoints.Stage{Index: 2, Name: "middle", From: 7}})
	require.NoError(t, err)
	require.Equal(t, "middle", s.name)
	require.Equal(t, "fcn32s (0,5] middle (7,17] fcn8s (17,18] ", spans(all))
	require.Equal(t, &checkpoints.Stage{Index: 2, Name: "middle", From: 7}, s.meta())
	stage, err := atStage(config, checkpoints.Meta{Stage: s.meta()})
	require.NoError(t, err)
	require.Equal(t, "fcn16s", stage.Model.Arch)

	_, err = all.of(checkpoints.Meta{Step: 9})
	require.EqualError(t, err, "the checkpoint of step 9 does not say of which stage it is, and config.toml has 3")
	_, err = atStage(config, checkpoints.Meta{Step: 9, Stage: &checkpoints.Stage{Index: 4}})
	require.EqualError(t, err, "the checkpoint of step 9 is of stage 4, and config.toml has 3")
	plain := dataConfig(t)
	same, err := atStage(plain, checkpoints.Meta{Step: 9})
	require.NoError(t, err)
	require.Equal(t, plain, same)
}

// Where a run goes on, and with what of the rate that people had halved.
func TestGoOn(t *testing.T) {
	at := func(stage int, from, step, evaluated int64) checkpoints.Meta {
		return checkpoints.Meta{Step: step, Cursor: 2 * step, Evaluated: evaluated, LRScale: 0.5,
			Best: &checkpoints.Best{Step: 3, MeanIoU: 0.25}, Stage: &checkpoints.Stage{Index: stage, From: from}}
	}
	for _, test := range []struct {
		name  string
		meta  checkpoints.Meta
		stage string
		scale float64
		note  string
	}{
		{"in the first stage", at(1, 0, 4, 0), "fcn32s", 0.5, "learning rate 0.5 times the schedule's, as was asked for before"},
		{"at its end, which was not scored", at(1, 0, 5, 0), "fcn32s", 0.5, "learning rate 0.5 times the schedule's, as was asked for before"},
		{"between two", at(1, 0, 5, 5), "middle", 0, "learning rate of this stage's own again, no longer times 0.5 as was asked for before"},
		{"in the second", at(2, 5, 6, 5), "middle", 0.5, "learning rate 0.5 times the schedule's, as was asked for before"},
		{"at the end of the last", at(3, 15, 16, 16), "fcn8s", 0.5, "learning rate 0.5 times the schedule's, as was asked for before"},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, config, err := openStages(t, stagedConfig)
			require.NoError(t, err)
			p := &trainPlan{config: config}
			start, err := p.goOn(&checkpoints.Checkpoint{Name: "step-5", Meta: test.meta, Variables: variablesOf(t, all, test.meta)}, all)
			require.NoError(t, err)
			require.Equal(t, test.stage, start.stage.name)
			require.Equal(t, train.Progress{Step: test.meta.Step, Cursor: datasets.Cursor(2 * test.meta.Step), Evaluated: test.meta.Evaluated,
				BestIoU: 0.25, BestStep: 3, RateScale: test.scale}, start.progress)
			require.Equal(t, test.note, start.notes[len(start.notes)-1])
		})
	}

	// A new train.lr is meant for the stages that have it.
	for i, want := range []float64{0, 0.5} {
		all, config, err := openStages(t, stagedConfig)
		require.NoError(t, err)
		p := &trainPlan{config: config, changes: []train.Change{{Key: "train.lr", Old: "0.1", New: "0.5"}}}
		meta := at(i+1, int64(5*i), int64(5*i+1), 0)
		start, err := p.goOn(&checkpoints.Checkpoint{Meta: meta, Variables: variablesOf(t, all, meta)}, all)
		require.NoError(t, err)
		require.Equal(t, want, start.progress.RateScale)
	}
}

// variablesOf is a file of the variables, all zero, of the stage that a checkpoint is of.
func variablesOf(t *testing.T, all stages, meta checkpoints.Meta) *checkpoints.File {
	t.Helper()
	stage, err := all.of(meta)
	require.NoError(t, err)
	var infos []checkpoints.Info
	for _, v := range stage.config.Network().Variables() {
		infos = append(infos, checkpoints.Info{Name: v.Path(), DType: "F32", Shape: v.Shape})
	}
	sizes := map[string]int64{}
	for _, info := range infos {
		sizes[info.Name], err = info.Size()
		require.NoError(t, err)
	}
	path := filepath.Join(t.TempDir(), "variables.safetensors")
	_, err = checkpoints.WriteFile(path, infos, nil, func(name string, w io.Writer) error {
		_, err := w.Write(make([]byte, sizes[name]))
		return err
	})
	require.NoError(t, err)
	file, err := checkpoints.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	return file
}

// What is odd in several stages is said once, with their numbers where it is not of all.
func TestStagesAreWarnedOfOnce(t *testing.T) {
	for frozen, want := range map[string]string{"1 2 3": "", "1 3": "stage 1 and 3 of 3: ", "2": "stage 2 of 3: "} {
		text := "data = {spec = 'shapes?n=8&val_n=2&size=32x32'}\nmodel = {encoder = 'vgg11_bn', width = 1, head = 2}\n"
		for i, arch := range []string{"fcn32s", "fcn16s", "fcn8s"} {
			text += fmt.Sprintf("[[stage]]\narch = %q\nsteps = 2\n", arch)
			if strings.Contains(frozen, strconv.Itoa(i+1)) {
				text += "freeze = ['conv1_*']\n"
			}
		}
		config, err := validConfig(train.Sources{File: []byte(text)})
		require.NoError(t, err)
		data, err := openTrainData(t.Context(), &config, func(string) {})
		require.NoError(t, err)
		var warned []string
		_, err = stagesOf(config, data, true, func(text string) { warned = append(warned, text) })
		require.NoError(t, err)
		require.Len(t, warned, 1)
		require.Regexp(t, "^"+want+"train.freeze: the convolutions before bn1_1 are frozen", warned[0])
	}
}

// What the last stage could not do is known before the first one begins.
func TestStagesAreChecked(t *testing.T) {
	_, _, err := openStages(t, stagedConfig+"freeze = [\"fc8\"]\n")
	require.ErrorContains(t, err, "stage 3 of 3, fcn8s: train.freeze: \"fc8\" names no layer of this network")
}
