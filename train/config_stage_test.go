package train

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const stagedFile = `[data]
spec = "shapes"
[model]
encoder = "vgg11"
[train]
momentum = 0.5
weight_decay = 1e-3
freeze = ["conv1_*"]
rates = { "score_*" = 10, "fc6" = 2 }
[[stage]]
arch = "fcn32s"
steps = 100
lr = 1e-3
[[stage]]
name = "sixteen"
arch = "fcn16s"
epochs = 1.5
freeze = []
lr = 1
[stage.rates]
score_pool4 = 5
`

func loadStaged(t *testing.T, file string) (Config, Origins) {
	c, origins, err := Load(Sources{Path: "a.toml", File: []byte(file)})
	require.NoError(t, err)
	return c, origins
}

func TestStages(t *testing.T) {
	c, origins := loadStaged(t, stagedFile)
	require.NoError(t, c.Validate())
	require.NoError(t, c.ValidateNetwork())
	require.Equal(t, "a.toml:13:1", origins["stage[1].lr"])
	require.Equal(t, "a.toml:19:1", origins["stage[2].lr"])
	require.Equal(t, "a.toml:20:2", origins["stage[2].rates"])

	base := c
	base.Stage = nil
	first, second := base, base
	first.Model.Arch, first.Train.Steps, first.Train.LR = "fcn32s", 100, 1e-3
	second.Model.Arch, second.Train.Epochs, second.Train.LR, second.Train.Freeze = "fcn16s", 1.5, 1, nil
	second.Train.Rates = map[string]float64{"score_pool4": 5}
	require.Equal(t, []Config{first, second}, c.Stages())
	require.Equal(t, "fcn32s", c.StageName(0))
	require.Equal(t, "sixteen", c.StageName(1))

	// A run without stages is its own only one.
	require.Equal(t, []Config{base}, base.Stages())
	require.Equal(t, "fcn8s", base.StageName(0))

	// config.toml reads back to the same.
	written, err := c.TOML()
	require.NoError(t, err)
	again, _ := loadStaged(t, string(written))
	require.Equal(t, c, again)
	inline, _ := loadStaged(t, `stage = [{arch = "fcn32s", steps = 2}]`)
	require.Equal(t, 2, inline.Stages()[0].Train.Steps)
}

func TestDiffOfStages(t *testing.T) {
	c, _ := loadStaged(t, stagedFile)
	other, _ := loadStaged(t, strings.Replace(stagedFile, "lr = 1\n", "clip = 1.0\nlr = 1\n", 1)+"score_fr = 2\n[[stage]]\narch = 'fcn8s'\nsteps = 3\n")
	var lines []string
	for _, change := range append(Diff(c, other), Diff(other, c)...) {
		require.False(t, change.Harmless())
		require.True(t, IsStageKey(change.Key))
		lines = append(lines, change.String())
	}
	require.Equal(t, []string{
		"stage[2].rates: {score_fr = 2.0, score_pool4 = 5.0}, was {score_pool4 = 5.0}", "stage[2].clip: 1.0, was nothing", "stage[3].arch: 'fcn8s', was nothing", "stage[3].steps: 3, was nothing",
		"stage[2].rates: {score_pool4 = 5.0}, was {score_fr = 2.0, score_pool4 = 5.0}", "stage[2].clip: nothing, was 1.0", "stage[3].arch: nothing, was 'fcn8s'", "stage[3].steps: nothing, was 3",
	}, lines)
}

func TestStagesThatCannotBeRead(t *testing.T) {
	for file, want := range map[string]string{
		"[stage]\nlr = 1":                         `a.toml:1:2: stage: expected tables [[stage]], in double brackets, found a table`,
		"stage = 3":                               `a.toml:1:1: stage: expected tables [[stage]], in double brackets, found 3`,
		"stage = []":                              `a.toml:1:1: stage: expected tables [[stage]], in double brackets, found a list of 0`,
		"stage = [1]":                             `a.toml:1:1: stage[1]: says nothing; a stage has arch, steps or epochs, and mostly lr`,
		"[[stage]]\nlr = 1\n[[stage]]\n":          `a.toml:3:3: stage[2]: says nothing; a stage has arch, steps or epochs, and mostly lr`,
		"[[stage]]\nlr = 1\n[[stage]]\nl=1":       `a.toml:4:1: stage[2].l: no such key; did you mean lr?`,
		"[[stage]]\nlr = 'a'":                     `a.toml:2:1: stage[1].lr: expected a number, found "a"`,
		"[[stage]]\nwidth = 3":                    `a.toml:2:1: stage[1].width: is the whole run's; say it in [model]`,
		"[[stage]]\nbatch = 3":                    `a.toml:2:1: stage[1].batch: is the whole run's; say it in [train]`,
		"[[stage]]\nlr = 1\n[stage.freeze]":       `a.toml:3:2: stage[1].freeze: expected a list of strings, found a table`,
		strings.Repeat("[[stage]]\nlr = 1\n", 65): `a.toml:1:3: stage: 65 of them; at most 64 are allowed`,
		"[[stages]]\nlr = 1":                      `a.toml:1:3: stages: no such section; did you mean stage?`,
	} {
		_, _, err := Load(Sources{Path: "a.toml", File: []byte(file)})
		require.EqualError(t, err, want, "%s", file)
	}
	_, _, err := Load(Sources{Path: "a.toml", File: []byte(stagedFile), Sets: []string{"stage[1].lr=3"}})
	require.EqualError(t, err, "--set: stage[1].lr: stages are given in the file of --config only")
}

func TestValidateStages(t *testing.T) {
	head := "[data]\nspec = 'shapes'\n"
	stage := "[[stage]]\narch = 'fcn16s'\nsteps = 3\n"
	for file, want := range map[string]string{
		"[train]\nsteps = 5\n" + stage:                 `a.toml:4:1: train.steps: each [[stage]] says its own steps or epochs; leave it out here`,
		"[train]\nepochs = 5\n" + stage:                `a.toml:4:1: train.epochs: each [[stage]] says its own steps or epochs; leave it out here`,
		"[model]\narch = 'fcn16s'\n" + stage:           `a.toml:4:1: model.arch: each [[stage]] says its own; leave it out here`,
		"[train]\nlr = 5\n" + stage + "lr = 3":         `a.toml:4:1: train.lr: each [[stage]] says its own; leave it out here`,
		"[train]\nlr = 5\n" + stage:                    ``, // it has an effect
		"[[stage]]\nsteps = 3":                         `stage[1].arch: say which network: fcn32s, fcn16s, fcn8s`,
		"[[stage]]\narch = 'fcn8s'":                    `stage[1].steps: say how long this stage trains: steps = N or epochs = N`,
		stage + "epochs = 2":                           `a.toml:5:1: stage[1].steps: train.epochs is given too; give one of them`,
		stage + "name = ''":                            `a.toml:6:1: stage[1].name: "" is no name of up to 60 bytes`,
		stage + "name = \"a\\nb\"":                     `a.toml:6:1: stage[1].name: "a\nb" is no name of up to 60 bytes`,
		stage + stage + "lr = -1":                      `a.toml:9:1: stage[2].lr: -1 is not above 0`,
		"[train]\nlr = -1\n" + stage + stage:           `a.toml:4:1: train.lr: -1 is not above 0`, // once
		"[[stage]]\narch = 'fcn4s'\nsteps = 2\n":       `a.toml:4:1: stage[1].arch: no "fcn4s" among fcn32s fcn16s fcn8s; did you mean fcn8s?`,
		stage + "at_once = true\n" + stage:             `a.toml:8:1: stage[2].arch: cannot go on from stage 1: model.at_once: true in the source, false here: score_pool4 was trained on the other scale`,
		stage + "[[stage]]\narch='fcn32s'\nsteps=2":    `a.toml:7:1: stage[2].arch: cannot go on from stage 1: model.arch: fcn16s in the source, fcn32s here: a coarser net has no place for the skips of a finer one`,
		stage + "power = 2.0\nschedule = 'cosine'\n":   `a.toml:6:1: stage[1].power: train.schedule = "cosine" has none; "poly" has`,
		"[model]\nwidth = 0\n" + stage + stage:         `a.toml:4:1: model.width: 0 is not between 1 and 1024`,
		stage + stage + "rates = { fc6 = -1 }":         `a.toml:9:1: stage[2].rates: -1 for "fc6" is not 0 or above`,
		stage + stage + "[stage.rates]\nfc6 = -1":      `a.toml:9:2: stage[2].rates: -1 for "fc6" is not 0 or above`,
		stage + "rates = {}\n" + stage:                 ``,
		stage + stage + stage + "freeze = ['conv1_*']": ``,
	} {
		c, origins := loadStaged(t, head+file)
		err := origins.Explain(c.Validate())
		if want == "" {
			require.NoError(t, err, "%s", file)
			continue
		}
		require.EqualError(t, err, want, "%s", file)
	}
}

// Each key of a stage is one of [model] or [train], and is on the page that describes
// the keys, in order, and no other.
func TestStageKeysAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	var got []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [^`]").FindAllStringSubmatch(string(page), -1) {
		got = append(got, row[1])
	}
	require.Equal(t, stageKeys(), got)
	for _, name := range stageKeys()[1:] {
		require.NotEmpty(t, baseKey(name), name)
	}
}
