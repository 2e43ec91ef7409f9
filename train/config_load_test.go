package train

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

func TestPrecedence(t *testing.T) {
	s := Sources{
		Path: "a.toml",
		File: []byte("[run]\nname = 'file'\n[train]\nbatch = 2\nlr = 1\nfreeze = ['conv1_*']\n"),
		Environ: []string{
			"HOME=/home/someone", "FCNX_TRAIN_BATCH=4", "FCNX_TRAIN_LR=0.5", "FCNX_RUN_NAME=environment",
			"FCNX_DATA_DIR=elsewhere", "FCNXX=1",
		},
		NotKeys: []string{"FCNX_DATA_DIR"},
		Sets:    []string{"train.lr=.25", "train.lr = 0.125", "data.spec=voc:/data?year=2012"},
	}
	c, origins, err := Load(s)
	require.NoError(t, err)

	want := Default()
	want.Run.Name = "environment"
	want.Train.Batch = 4
	want.Train.LR = 0.125
	want.Train.Freeze = []string{"conv1_*"}
	want.Data.Spec = "voc:/data?year=2012"
	require.Equal(t, want, c)
	require.Equal(t, Origins{
		"run.name":     "FCNX_RUN_NAME",
		"train.batch":  "FCNX_TRAIN_BATCH",
		"train.lr":     "--set",
		"train.freeze": "a.toml:6:1",
		"data.spec":    "--set",
	}, origins)
}

func TestNothingGivenIsTheDefault(t *testing.T) {
	c, origins, err := Load(Sources{})
	require.NoError(t, err)
	require.Equal(t, Default(), c)
	require.Empty(t, origins)
}

func TestWaysToWriteAValue(t *testing.T) {
	tests := map[string]struct {
		set  string
		want func(*Config)
	}{
		"list of strings with commas": {`train.freeze=conv1_*, conv2_*`, func(c *Config) { c.Train.Freeze = []string{"conv1_*", "conv2_*"} }},
		"list of strings in TOML":     {`train.freeze=["conv1_*"]`, func(c *Config) { c.Train.Freeze = []string{"conv1_*"} }},
		"empty list":                  {`train.freeze=`, func(c *Config) { c.Train.Freeze = nil }},
		"empty list in TOML":          {`train.freeze=[]`, func(c *Config) { c.Train.Freeze = nil }},
		"list of numbers":             {`augment.scale=0.5,2`, func(c *Config) { c.Augment.Scale = []float64{0.5, 2} }},
		"list of numbers in TOML":     {`augment.scale=[0.5, 2]`, func(c *Config) { c.Augment.Scale = []float64{0.5, 2} }},
		"three numbers":               {`preprocess.mean=1,2,3`, func(c *Config) { c.Preprocess.Mean = [3]float64{1, 2, 3} }},
		"table":                       {`train.rates=conv1_*=0.1, score_*=10`, func(c *Config) { c.Train.Rates = map[string]float64{"conv1_*": 0.1, "score_*": 10} }},
		"table in TOML":               {`train.rates={"conv1_*" = 0.1, fc6 = 2}`, func(c *Config) { c.Train.Rates = map[string]float64{"conv1_*": 0.1, "fc6": 2} }},
		"empty table":                 {`train.rates=`, func(*Config) {}},
		"string":                      {`run.name=a b=c "d"`, func(c *Config) { c.Run.Name = `a b=c "d"` }},
		"quoted string":               {`run.name="a\tb"`, func(c *Config) { c.Run.Name = "a\tb" }},
		"string that is a quote":      {`run.name="`, func(c *Config) { c.Run.Name = `"` }},
		"empty string":                {`run.name=`, func(c *Config) { c.Run.Name = "" }},
		"bool":                        {`train.shuffle=false`, func(c *Config) { c.Train.Shuffle = false }},
		"number":                      {`train.lr=1e-10`, func(c *Config) { c.Train.LR = 1e-10 }},
		"whole number":                {`train.lr=1`, func(c *Config) { c.Train.LR = 1 }},
		"integer is not octal":        {`train.batch=010`, func(c *Config) { c.Train.Batch = 10 }},
		"largest seed":                {`run.seed=9223372036854775807`, func(c *Config) { c.Run.Seed = 1<<63 - 1 }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := Default()
			test.want(&want)
			c, _, err := Load(Sources{Sets: []string{test.set}})
			require.NoError(t, err)
			require.Equal(t, want, c)

			// The environment reads values the same way.
			key, value, _ := strings.Cut(test.set, "=")
			c, _, err = Load(Sources{Environ: []string{environmentName(key) + "=" + value}})
			require.NoError(t, err)
			require.Equal(t, want, c)
		})
	}
}

func TestOneOfTwoWaysTakesTheOtherBack(t *testing.T) {
	recipe := []byte("[train]\nepochs = 40\nclass_weights = [1, 2]\n[eval]\nevery_epochs = 2\n")
	c, origins, err := Load(Sources{
		Path: "a.toml", File: recipe,
		Environ: []string{"FCNX_TRAIN_CLASS_BALANCE=median"},
		Sets:    []string{"train.steps=10", "eval.every_steps=5"},
	})
	require.NoError(t, err)
	require.Equal(t, 10, c.Train.Steps)
	require.Zero(t, c.Train.Epochs)
	require.Nil(t, c.Train.ClassWeights)
	require.Equal(t, "median", c.Train.ClassBalance)
	require.Equal(t, 5, c.Eval.EverySteps)
	require.Zero(t, c.Eval.EveryEpochs)
	require.NotContains(t, origins, "train.epochs")

	// Both from one source is a contradiction, which Validate reports.
	c, _, err = Load(Sources{File: recipe, Sets: []string{"train.steps=10", "train.epochs=2"}})
	require.NoError(t, err)
	require.ErrorContains(t, c.Validate(), "train.steps: train.epochs is given too")

	// Zero gives nothing, and so takes nothing back.
	c, _, err = Load(Sources{File: recipe, Sets: []string{"train.steps=0"}})
	require.NoError(t, err)
	require.Equal(t, 40.0, c.Train.Epochs)
}

// Of the command line a --set counts more than a flag for the same key, and each says where a value was given.
func TestFlagsAreBelowSets(t *testing.T) {
	c, origins, err := Load(Sources{
		Path: "a.toml", File: []byte("[train]\nbatch = 1\nlr = 1\nepochs = 3\n"), Environ: []string{"FCNX_TRAIN_BATCH=2"},
		Flags: []Flag{{"batch", "train.batch", " 4 "}, {"lr", "train.lr", "0.5"}, {"steps", "train.steps", "10"}},
		Sets:  []string{"train.lr=0.25"},
	})
	require.NoError(t, err)
	require.Equal(t, 4, c.Train.Batch)
	require.Equal(t, 0.25, c.Train.LR)
	require.Zero(t, c.Train.Epochs)
	require.Equal(t, []string{"--batch", "--set", "--steps"}, []string{origins["train.batch"], origins["train.lr"], origins["train.steps"]})
}

// An entry of a table that is given alone leaves the others as they are; the table as
// a whole replaces them.
func TestEntriesOfTables(t *testing.T) {
	recipe := []byte("[train]\nlr = 1\nrates.fc6 = 2\n[train.rates.x]\n")
	_, _, err := Load(file(string(recipe)))
	require.ErrorContains(t, err, "train.rates")

	recipe = []byte("[train.rates]\n\"conv[1-4]_*\" = 0.1\nfc6 = 2\n")
	load := func(environ []string, sets ...string) map[string]float64 {
		c, _, err := Load(Sources{File: recipe, Environ: environ, Sets: sets})
		require.NoError(t, err)
		return c.Train.Rates
	}
	require.Equal(t, map[string]float64{"conv[1-4]_*": 0.1, "fc6": 2}, load(nil))
	require.Equal(t, map[string]float64{"conv[1-4]_*": 0.2, "fc6": 2, "fc7": 3},
		load(nil, "train.rates.conv[1-4]_*=0.2", `train.rates."fc7"=3`))
	require.Equal(t, map[string]float64{"fc7": 3, "fc6": 1}, load([]string{"FCNX_TRAIN_RATES=fc7=3"}, "train.rates.fc6=1"))
	require.Equal(t, map[string]float64{"fc6": 1}, load(nil, "train.rates={}", "train.rates.fc6=1"))
	require.Equal(t, map[string]float64{}, load(nil, "train.rates.fc7=1", "train.rates="))
	require.Empty(t, Default().Train.Rates)
}

func TestLoadErrors(t *testing.T) {
	tests := map[string]struct {
		sources Sources
		want    string
	}{
		"no TOML":                     {file("[train\n"), "a.toml:1:7: "},
		"twice":                       {file("[train]\nlr = 1\nlr = 2\n"), "a.toml:3:1: "},
		"unknown key":                 {file("[train]\nlr = 1\n  bacth = 8\n"), "a.toml:3:3: train.bacth: no such key; did you mean train.batch?"},
		"key of another section":      {file("[train]\nwidth = 8\n"), "a.toml:2:1: train.width: no such key; did you mean model.width?"},
		"key of several sections":     {file("[train]\nevery_steps = 8\n"), "a.toml:2:1: train.every_steps: no such key; did you mean eval.every_steps or checkpoint.every_steps?"},
		"key like no other":           {file("[train]\nunsupervised = true\n"), "a.toml:2:1: train.unsupervised: no such key"},
		"key in no section":           {file("lr = 1\n"), "a.toml:1:1: lr: no such key; did you mean train.lr?"},
		"key in capitals":             {file("[train]\nLR = 1\n"), "a.toml:2:1: train.LR: no such key; did you mean train.lr?"},
		"key that is a colour":        {file("[train]\n\"\\u001b[31m\" = 1\n"), `a.toml:2:1: "train.\x1b[31m": no such key`},
		"key that is a book":          {file("[train]\n" + strings.Repeat("a", 1000) + " = 1\n"), `a.toml:2:1: "train.` + strings.Repeat("a", 54) + `...": no such key`},
		"unknown section":             {file("\n[trian]\n"), "a.toml:2:2: trian: no such section; did you mean train?"},
		"unknown section, dotted key": {file("trian.lr = 1\n"), "a.toml:1:1: trian: no such section; did you mean train?"},
		"section twice over":          {file("[[train]]\nlr = 1\n"), "a.toml:1:3: train: expected a section [train], found a list of 1"},
		"section is a value":          {file("train = 1\n"), "a.toml:1:1: train: expected a section [train], found 1"},
		"inline":                      {file("train = { lr = 1, bacth = 8 }\n"), "a.toml:1:19: train.bacth: no such key; did you mean train.batch?"},
		"table for a value":           {file("[train.lr]\nx = 1\n"), "a.toml:1:8: train.lr: expected a number, found a table"},
		"string for an integer":       {file("[train]\nbatch = '8'\n"), "a.toml:2:1: train.batch: expected an integer, found \"8\""},
		"fraction for an integer":     {file("[train]\nbatch = 8.5\n"), "a.toml:2:1: train.batch: expected an integer, found 8.5"},
		"negative seed":               {file("[run]\nseed = -1\n"), "a.toml:2:1: run.seed: expected an integer that is not negative, found -1"},
		"integer for a bool":          {file("[train]\nshuffle = 1\n"), "a.toml:2:1: train.shuffle: expected true or false, found 1"},
		"number for a string":         {file("[run]\nname = 7\n"), "a.toml:2:1: run.name: expected a string, found 7"},
		"date":                        {file("[run]\nname = 2026-03-01\n"), "a.toml:2:1: run.name: expected a string, found a date or a time"},
		"string for a list":           {file("[train]\nfreeze = 'conv1_*'\n"), "a.toml:2:1: train.freeze: expected a list of strings, found \"conv1_*\""},
		"mixed list":                  {file("[train]\nfreeze = ['a', 1]\n"), "a.toml:2:1: train.freeze: element 2: expected a string, found 1"},
		"two of three numbers":        {file("[preprocess]\nmean = [1, 2]\n"), "a.toml:2:1: preprocess.mean: expected a list of 3 numbers, found a list of 2"},
		"number for a table":          {file("[train]\nrates = 7\n"), "a.toml:2:1: train.rates: expected a table of numbers, found 7"},
		"string in a table":           {file("[train.rates]\nfc6 = 'x'\n"), `a.toml:1:8: train.rates: "fc6": expected a number, found "x"`},
		"table in a table":            {file("[train]\nrates.conv1.x = 1\n"), `a.toml:2:1: train.rates: "conv1": expected a number, found a table`},
		"too long":                    {file(strings.Repeat("#", fileLimit+1)), "a.toml: 1048577 bytes, where a configuration has at most 1048576"},

		"environment, unknown": {Sources{Environ: []string{"FCNX_TRAIN_BACTH=8"}}, "FCNX_TRAIN_BACTH: no such key; did you mean FCNX_TRAIN_BATCH?"},
		"environment, no key":  {Sources{Environ: []string{"FCNX_DATADIR=8"}, NotKeys: []string{"FCNX_DATA_DIR"}}, "FCNX_DATADIR: no such key; did you mean FCNX_DATA_DIR?"},
		"environment, section": {Sources{Environ: []string{"FCNX_WIDTH=8"}}, "FCNX_WIDTH: no such key; did you mean FCNX_MODEL_WIDTH?"},
		"environment, type":    {Sources{Environ: []string{"FCNX_TRAIN_BATCH=many"}}, "FCNX_TRAIN_BATCH: train.batch: expected an integer, found \"many\""},
		"environment, empty":   {Sources{Environ: []string{"FCNX_TRAIN_BATCH="}}, "FCNX_TRAIN_BATCH: train.batch: expected an integer, found \"\""},
		"environment, bytes":   {Sources{Environ: []string{"FCNX_RUN_NAME=\xff"}}, "FCNX_RUN_NAME: run.name: the value is not UTF-8"},

		"environment, entry": {Sources{Environ: []string{"FCNX_TRAIN_RATES_FC6=2"}}, "FCNX_TRAIN_RATES_FC6: no such key; the whole table is one variable: FCNX_TRAIN_RATES='conv1_*=0.1,score_*=10'"},
		"environment, table": {Sources{Environ: []string{"FCNX_TRAIN_RATES=2"}}, `FCNX_TRAIN_RATES: train.rates: expected name=value,name=value, found "2"`},

		"set, table":       {Sources{Sets: []string{"train.rates=fc6=a"}}, `--set: train.rates: "fc6": expected a number, found "a"`},
		"set, twice":       {Sources{Sets: []string{"train.rates=fc6=1,fc6=2"}}, `--set: train.rates: "fc6" is there twice`},
		"set, entry":       {Sources{Sets: []string{"train.rates.fc6=a"}}, `--set: train.rates: "fc6": expected a number, found "a"`},
		"set, no entry":    {Sources{Sets: []string{"train.rates.=1"}}, `--set: train.rates: an entry wants a name, as in --set train.rates.conv1_*=0.1`},
		"set, entry bytes": {Sources{Sets: []string{"train.rates.\xff=1"}}, `--set: train.rates: an entry wants a name`},
		"set, no table":    {Sources{Sets: []string{"train.lr.fc6=1"}}, `--set: train.lr.fc6: no such key`},
		"flag, type":       {Sources{Flags: []Flag{{"batch", "train.batch", "many"}}}, "--batch: train.batch: expected an integer, found \"many\""},
		"flag, bytes":      {Sources{Flags: []Flag{{"name", "run.name", "\xff"}}}, "--name: run.name: the value is not UTF-8"},
		"set, unknown":     {Sources{Sets: []string{"train.bacth=8"}}, "--set: train.bacth: no such key; did you mean train.batch?"},
		"set, no section":  {Sources{Sets: []string{"momentum=8"}}, "--set: momentum: no such key; did you mean train.momentum?"},
		"set, no value":    {Sources{Sets: []string{"train.batch"}}, "--set: train.batch: no value; write --set key=value"},
		"set, bool":        {Sources{Sets: []string{"train.shuffle=yes"}}, "--set: train.shuffle: expected true or false, found \"yes\""},
		"set, number":      {Sources{Sets: []string{"train.lr=fast"}}, "--set: train.lr: expected a number, found \"fast\""},
		"set, element":     {Sources{Sets: []string{"augment.scale=1,b"}}, "--set: augment.scale: element 2: expected a number, found \"b\""},
		"set, bad list":    {Sources{Sets: []string{"train.freeze=[conv1_*]"}}, "--set: train.freeze: [conv1_*]: "},
		"set, two values":  {Sources{Sets: []string{"train.freeze=['a']\nb = []"}}, "--set: train.freeze: \"['a']\\nb = []\" holds more than one value"},
		"set, large":       {Sources{Sets: []string{"run.seed=9223372036854775808"}}, "--set: run.seed: 9223372036854775808 is out of range: at most 9223372036854775807"},
		"set, long string": {Sources{Sets: []string{"train.batch=" + strings.Repeat("9x", 50)}}, "found \"" + strings.Repeat("9x", 30) + "...\""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, origins, err := Load(test.sources)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n")
			require.Zero(t, c)
			require.Nil(t, origins)
		})
	}
}

func file(content string) Sources { return Sources{Path: "a.toml", File: []byte(content)} }

func TestEveryErrorIsReportedInTheOrderOfTheFile(t *testing.T) {
	s := file("[train]\nz = 1\na = 2\n[model]\nwidht = 3\n")
	s.Sets = []string{"eval.batch=x"}
	_, _, err := Load(s)
	require.EqualError(t, err, strings.Join([]string{
		"a.toml:2:1: train.z: no such key",
		"a.toml:3:1: train.a: no such key",
		"a.toml:5:1: model.widht: no such key; did you mean model.width?",
		"--set: eval.batch: expected an integer, found \"x\"",
	}, "\n"))
}

// Keys are found by reflection, so a field without a name or of a type that cannot
// be given would be a key that nobody can set.
func TestEveryKeyCanBeGiven(t *testing.T) {
	names := map[string]bool{}
	c := Default()
	eachKey(&c, func(key string, value reflect.Value) {
		require.Regexp(t, `^[a-z]+\.[a-z0-9_]+$`, key)
		name := environmentName(key)
		require.False(t, names[name], "two keys have the name %s", name)
		names[name] = true

		text := literal(value)
		require.NotEmpty(t, text)
		loaded, origins, err := Load(Sources{Environ: []string{name + "=" + text}, Sets: []string{key + "=" + text}})
		require.NoError(t, err)
		require.Equal(t, Default(), loaded)
		require.Equal(t, "--set", origins[key])
	})
	require.Len(t, names, len(Keys()))
	require.Greater(t, len(names), 50)
}

func FuzzLoad(f *testing.F) {
	memtest.Cap(f)
	whole, err := Default().TOML()
	require.NoError(f, err)
	f.Add(whole, "train.batch=8", "FCNX_TRAIN_LR=0.5")
	f.Add([]byte("train = { lr = 1, x.y = [{}] }\n[[model]]\n"), "train.freeze=[\"a\"]", "FCNX_=")
	f.Add([]byte("[train.rates]\n\"conv*\" = 2\n'' = nan\n"), "train.rates.a.b=1", "FCNX_TRAIN_RATES=a=1,b = 2")
	f.Add([]byte("\"train\".'lr' = 1e400\n[run]\nname = \"\"\"\n\\u0000\"\"\"\n"), "run.name=\"\\u0000\"", "FCNX_RUN_SEED=-1")
	f.Add([]byte("[[stage]]\narch = 'fcn32s'\nfreeze = []\n[[stage]]\nepochs = 1\n[stage.lr]\nx = 1\n"), "stage[1].lr=1", "FCNX_STAGE=1")
	f.Add([]byte("stage = [{arch = 'fcn32s', steps = 2}, {arch = 'fcn16s', steps = 2}]\n"), "data.spec=shapes", "FCNX_RUN_SEED=1")
	f.Fuzz(func(t *testing.T, data []byte, set, environment string) {
		var c Config
		var err error
		memtest.Bound{Any: 4 << 20, PerByte: 2 << 10}.Within(t, len(data)+len(set)+len(environment), func() {
			c, _, err = Load(Sources{Path: "a.toml", File: data, Environ: []string{environment}, Sets: []string{set}})
		})
		if err != nil {
			return
		}
		_ = c.Validate()
		// What was read can be written, and reads the same.
		written, err := c.TOML()
		require.NoError(t, err)
		again, _, err := Load(Sources{Path: "b.toml", File: written})
		require.NoError(t, err, "%s", written)
		require.Empty(t, Diff(c, again))
	})
}
