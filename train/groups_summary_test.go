package train

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/models"
)

func TestGroupSummary(t *testing.T) {
	paper := models.Config{Arch: "fcn8s", Encoder: "vgg16", Classes: 21, Width: 64, Head: 4096, Upsample: models.Bilinear, Geometry: models.Paper}
	normed := paper
	normed.Encoder, normed.Width, normed.Head = "vgg11_bn", 2, 8
	tests := map[string]struct {
		net    models.Config
		change func(*TrainConfig)
		want   string
	}{
		"all alike":         {paper, func(*TrainConfig) {}, ""},
		"the paper's":       {paper, func(c *TrainConfig) { c.BiasLR = 2 }, "biases: x2"},
		"frozen":            {paper, func(c *TrainConfig) { c.Freeze = []string{"conv1_*", "conv2_*"} }, "frozen: conv1_1..conv2_2 (260 k of 134.4 M parameters)"},
		"not one piece":     {paper, func(c *TrainConfig) { c.Freeze = []string{"conv1_*", "conv3_*", "fc7"} }, "frozen: conv1_1, conv1_2, conv3_1..conv3_3, fc7 (18.3 M of 134.4 M parameters)"},
		"parts":             {paper, func(c *TrainConfig) { c.EncoderLR, c.HeadLR = 0.1, 10 }, "x0.1: conv1_1..conv5_3; x10: fc6, fc7, score_fr, score_pool4, score_pool3"},
		"all of it":         {paper, func(c *TrainConfig) { c.Freeze = []string{"conv1_*"}; c.Rates = map[string]float64{"score_*": 10} }, "frozen: conv1_1, conv1_2 (39 k of 134.4 M parameters); x10: score_fr, score_pool4, score_pool3"},
		"norms apart":       {normed, func(c *TrainConfig) { c.Freeze = []string{"[cb]*[1-4]_*"} }, "frozen: conv1_1..conv4_2, bn1_1..bn4_2 (5 k of 16 k parameters)"},
		"biases stay":       {normed, func(c *TrainConfig) { c.BiasLR = 0 }, "biases: x0"},
		"learned upscaling": {func() models.Config { c := normed; c.Upsample = models.Depthwise; return c }(), func(c *TrainConfig) { c.Freeze = []string{"upscore*"} }, "frozen: upscore2, upscore_pool4, upscore8 (6 k of 22 k parameters)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := Default().Train
			test.change(&cfg)
			require.NoError(t, cfg.checkGroups(test.net.Variables()))
			require.Equal(t, test.want, cfg.GroupSummary(test.net.Variables()))
		})
	}
}

func TestMovingNorms(t *testing.T) {
	tests := map[string]struct {
		change func(*TrainConfig)
		want   string
	}{
		"nothing frozen":  {func(*TrainConfig) {}, ""},
		"both frozen":     {func(c *TrainConfig) { c.Freeze = []string{"conv1_*", "bn1_*"} }, ""},
		"norms alone":     {func(c *TrainConfig) { c.Freeze = []string{"bn*"} }, ""},
		"whole encoder":   {func(c *TrainConfig) { c.EncoderLR = 0 }, ""},
		"forgotten":       {func(c *TrainConfig) { c.Freeze = []string{"conv[1-3]_*", "bn1_1"} }, "bn2_1..bn3_2"},
		"by its own rate": {func(c *TrainConfig) { c.Rates = map[string]float64{"conv1_1": 0} }, "bn1_1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := Default().Train
			test.change(&cfg)
			require.Equal(t, test.want, cfg.MovingNorms(tinyNet().Variables()))
		})
	}
	plain := tinyNet()
	plain.Encoder = "vgg11"
	cfg := Default().Train
	cfg.Freeze = []string{"conv*"}
	require.Empty(t, cfg.MovingNorms(plain.Variables()))
}

func TestRanges(t *testing.T) {
	all := strings.Fields("conv1_1 bn1_1 conv1_2 bn1_2 conv2_1 bn2_1 fc6 fc7 score_fr upscore2 score_pool4 upscore16")
	for some, want := range map[string]string{
		"":                               "",
		"conv1_1":                        "conv1_1",
		"conv1_1 conv1_2":                "conv1_1, conv1_2",
		"conv1_1 conv2_1":                "conv1_1, conv2_1",
		"conv1_1 conv1_2 conv2_1":        "conv1_1..conv2_1",
		"bn2_1 bn1_1 bn1_2 conv1_2 fc7":  "conv1_2, bn1_1..bn2_1, fc7",
		"fc6 fc7 score_fr upscore2":      "fc6, fc7, score_fr, upscore2",
		"upscore16 score_pool4 upscore2": "upscore2, score_pool4, upscore16",
	} {
		require.Equal(t, want, ranges(strings.Fields(some), all), some)
	}
}

func TestCountAndFigure(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1 k", 260_160: "260 k", 999_499: "999 k", 999_500: "1.0 M", 134_362_751: "134.4 M"} {
		require.Equal(t, want, count(n))
	}
	for x, want := range map[float64]string{0.1: "0.1", 10: "10", 1.8e-5: "1.8e-05", 1e-10: "1e-10", 1780: "1780", 187_500: "187500", 0.001234: "0.00123", 2e8: "2e+08"} {
		require.Equal(t, want, figure(x))
	}
}
