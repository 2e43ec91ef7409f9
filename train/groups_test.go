package train

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/models"
)

// variable finds one of a network's variables.
func variable(t *testing.T, net models.Config, path string) models.Variable {
	t.Helper()
	for _, v := range net.Variables() {
		if v.Path() == path {
			return v
		}
	}
	t.Fatalf("there is no variable %s", path)
	return models.Variable{}
}

func TestGroupOf(t *testing.T) {
	// The authors' solver for the biases, and rates that tell parts apart.
	cfg := TrainConfig{WeightDecay: 5e-4, BiasLR: 2, EncoderLR: 0.1, HeadLR: 10}
	with := func(change func(*TrainConfig)) TrainConfig {
		c := cfg
		change(&c)
		return c
	}
	tests := map[string]struct {
		cfg  TrainConfig
		want map[string]group
	}{
		"parts and roles": {cfg, map[string]group{
			"conv1_1/weight":       {rate: 0.1, decay: 5e-4},
			"conv1_1/bias":         {rate: 0.2},
			"conv5_2/weight":       {rate: 0.1, decay: 5e-4},
			"bn1_1/weight":         {rate: 0.1},
			"bn1_1/bias":           {rate: 0.2},
			"bn1_1/running_mean":   {rate: 0.1, decay: 5e-4, frozen: true},
			"bn1_1/running_var":    {rate: 0.1, decay: 5e-4, frozen: true},
			"fc6/weight":           {rate: 10, decay: 5e-4},
			"fc7/bias":             {rate: 20},
			"score_fr/weight":      {rate: 10, decay: 5e-4},
			"score_pool3/bias":     {rate: 20},
			"upscore2/weight":      {rate: 1, decay: 5e-4},
			"upscore8/weight":      {rate: 1, decay: 5e-4},
			"upscore_pool4/weight": {rate: 1, decay: 5e-4},
		}},
		"biases decay where they are told to": {with(func(c *TrainConfig) { c.BiasDecay = true }), map[string]group{
			"conv1_1/bias": {rate: 0.2, decay: 5e-4},
			"bn1_1/weight": {rate: 0.1, decay: 5e-4},
			"bn1_1/bias":   {rate: 0.2, decay: 5e-4},
		}},
		"frozen by name": {with(func(c *TrainConfig) { c.Freeze = []string{"conv1_*", "bn1_?", "upscore*"} }), map[string]group{
			"conv1_1/weight":       {rate: 0.1, decay: 5e-4, frozen: true},
			"conv1_1/bias":         {rate: 0.2, frozen: true},
			"bn1_1/weight":         {rate: 0.1, frozen: true},
			"conv2_1/weight":       {rate: 0.1, decay: 5e-4},
			"bn2_1/bias":           {rate: 0.2},
			"upscore2/weight":      {rate: 1, decay: 5e-4, frozen: true},
			"upscore_pool4/weight": {rate: 1, decay: 5e-4, frozen: true},
			"score_pool4/weight":   {rate: 10, decay: 5e-4},
		}},
		"frozen by a class of names": {with(func(c *TrainConfig) { c.Freeze = []string{"conv[12]_*"} }), map[string]group{
			"conv1_1/weight": {rate: 0.1, decay: 5e-4, frozen: true},
			"conv2_1/bias":   {rate: 0.2, frozen: true},
			"conv3_1/weight": {rate: 0.1, decay: 5e-4},
			"bn1_1/weight":   {rate: 0.1}, // a layer of its own
		}},
		"rates by name, in place of the part's": {with(func(c *TrainConfig) {
			c.Freeze = []string{"conv1_*"}
			c.Rates = map[string]float64{"conv[12]_*": 0.5, "score_*": 100, "upscore8": 3, "bn2_1": 0}
		}), map[string]group{
			"conv1_1/weight":     {rate: 0.5, decay: 5e-4, frozen: true},
			"conv2_1/weight":     {rate: 0.5, decay: 5e-4},
			"conv2_1/bias":       {rate: 1},
			"conv3_1/weight":     {rate: 0.1, decay: 5e-4},
			"bn2_1/weight":       {frozen: true},
			"bn2_1/bias":         {frozen: true},
			"fc6/weight":         {rate: 10, decay: 5e-4},
			"score_fr/weight":    {rate: 100, decay: 5e-4},
			"score_pool3/bias":   {rate: 200},
			"upscore8/weight":    {rate: 3, decay: 5e-4},
			"upscore2/weight":    {rate: 1, decay: 5e-4},
			"score_pool4/weight": {rate: 100, decay: 5e-4},
		}},
		"one layer of a frozen part": {with(func(c *TrainConfig) {
			c.EncoderLR = 0
			c.Rates = map[string]float64{"conv5_*": 1}
		}), map[string]group{
			"conv4_1/weight": {decay: 5e-4, frozen: true},
			"conv5_1/weight": {rate: 1, decay: 5e-4},
		}},
		"frozen by a rate of zero": {with(func(c *TrainConfig) { c.EncoderLR, c.BiasLR = 0, 0 }), map[string]group{
			"conv1_1/weight": {decay: 5e-4, frozen: true},
			"fc6/weight":     {rate: 10, decay: 5e-4},
			"fc6/bias":       {frozen: true},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for path, want := range test.want {
				require.Equal(t, want, test.cfg.groupOf(variable(t, tinyNet(), path)), path)
			}
		})
	}
}

func TestFrozenLayers(t *testing.T) {
	tests := map[string]struct {
		cfg    TrainConfig
		frozen []string
		learn  []string
	}{
		"none":               {TrainConfig{BiasLR: 1, EncoderLR: 1, HeadLR: 1}, nil, []string{"conv1_1", "bn1_1", "fc6", "upscore2"}},
		"by name":            {TrainConfig{BiasLR: 1, EncoderLR: 1, HeadLR: 1, Freeze: []string{"bn*"}}, []string{"bn1_1", "bn5_2"}, []string{"conv1_1"}},
		"by the part's rate": {TrainConfig{BiasLR: 1, HeadLR: 1}, []string{"conv1_1", "bn1_1", "bn5_2"}, []string{"fc6", "upscore2"}},
		"by their own rate":  {TrainConfig{BiasLR: 1, EncoderLR: 1, HeadLR: 1, Rates: map[string]float64{"bn1_*": 0}}, []string{"bn1_1"}, []string{"conv1_1", "bn2_1"}},
		"biases alone":       {TrainConfig{EncoderLR: 1, HeadLR: 1}, nil, []string{"conv1_1", "bn1_1", "fc6"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			frozen := test.cfg.frozenLayers(tinyNet().Variables())
			for _, layer := range test.frozen {
				require.True(t, frozen(layer), layer)
			}
			for _, layer := range test.learn {
				require.False(t, frozen(layer), layer)
			}
		})
	}
}

func TestCheckGroups(t *testing.T) {
	all := TrainConfig{BiasLR: 1, EncoderLR: 1, HeadLR: 1}
	with := func(freeze ...string) TrainConfig {
		c := all
		c.Freeze = freeze
		return c
	}
	rates := func(freeze []string, patterns ...string) TrainConfig {
		c := with(freeze...)
		c.Rates = map[string]float64{}
		for _, pattern := range patterns {
			c.Rates[pattern] = 2
		}
		return c
	}
	tests := map[string]struct {
		cfg  TrainConfig
		want string
	}{
		"nothing frozen":  {all, ""},
		"one layer":       {with("fc6"), ""},
		"all but one":     {with("conv*", "bn*", "fc?", "score*", "upscore2", "upscore_*"), ""},
		"no such layer":   {with("conv1_*", "fc8"), `train.freeze: "fc8" names no layer of this network that has weights; they are conv1_1..conv5_2, bn1_1..bn5_2, fc6, fc7, score_fr, upscore2, score_pool4, upscore_pool4, score_pool3, upscore8`},
		"a variable":      {with("fc6/weight"), `train.freeze: "fc6/weight" names no layer`},
		"no pattern":      {with("conv[1"), `train.freeze: "conv[1" is no pattern: syntax error in pattern`},
		"everything":      {with("*"), "train.freeze and the rates leave nothing to learn"},
		"rates of zero":   {TrainConfig{BiasLR: 1, Freeze: []string{"upscore*"}}, "train.freeze and the rates leave nothing to learn"},
		"rates":           {rates(nil, "conv*", "score_*"), ""},
		"classes of them": {rates([]string{"conv[12]_*"}, "conv[3-5]_*"), ""},
		"some are frozen": {rates([]string{"conv1_*"}, "conv*"), ""},
		"all are frozen":  {rates([]string{"conv*"}, "conv1_*"), `train.rates: "conv1_*" names only layers that train.freeze holds still`},
		"no such rate":    {rates(nil, "fc8"), `train.rates: "fc8" names no layer of this network that has weights; they are conv1_1..`},
		"no rate pattern": {rates(nil, "conv[1"), `train.rates: "conv[1" is no pattern: syntax error in pattern`},
		"two rates":       {rates(nil, "conv*", "conv1_?", "fc6"), `train.rates: "conv*" and "conv1_?" both name conv1_1, which can have one rate`},
		"all rates zero":  {TrainConfig{BiasLR: 1, EncoderLR: 1, HeadLR: 1, Rates: map[string]float64{"*": 0}}, "train.freeze and the rates leave nothing to learn"},
		"another network": {with("conv5_3"), `train.freeze: "conv5_3" names no layer`}, // VGG-11 has two there
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.cfg.checkGroups(tinyNet().Variables())
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.want)
			}
		})
	}
}
