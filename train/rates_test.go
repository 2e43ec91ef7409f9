package train

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/models"
)

// The authors' rates, on an image of VOC with its void left out.
func TestRate(t *testing.T) {
	tests := []struct {
		rate            Rate
		mean, effective float64
	}{
		{Rate{"sum", 1e-10, 0.99, 178_000}, 1.78e-5, 1.78e-3},    // FCN-32s
		{Rate{"sum", 1e-12, 0.99, 178_000}, 1.78e-7, 1.78e-5},    // 16s
		{Rate{"sum", 1e-14, 0.99, 178_000}, 1.78e-9, 1.78e-7},    // 8s
		{Rate{"sum", 1e-4, 0.99, 178_000}, 17.8, 1780},           // diverges
		{Rate{"sum", 1e-10, 0.99, 10 * 178_000}, 1.78e-4, .0178}, // a batch of ten is ten times as fast
		{Rate{"mean", 0.01, 0.9, 178_000}, 0.01, 0.1},
		{Rate{"mean", 0.01, 0.9, 10 * 178_000}, 0.01, 0.1},
		{Rate{"mean", 0.5, 0, 1}, 0.5, 0.5},
	}
	for _, test := range tests {
		require.InEpsilon(t, test.effective, test.rate.Effective(), 1e-9, "%+v", test.rate)
		on := test.rate.On("mean", test.rate.Momentum)
		require.InEpsilon(t, test.mean, on.LR, 1e-9, "%+v", test.rate)
		for _, loss := range losses {
			for _, momentum := range []float64{0, 0.9, 0.99} {
				on := test.rate.On(loss, momentum)
				require.Equal(t, []any{loss, momentum}, []any{on.Loss, on.Momentum})
				require.InEpsilon(t, test.effective, on.Effective(), 1e-9)
				back := on.On(test.rate.Loss, test.rate.Momentum)
				require.InEpsilon(t, test.rate.LR, back.LR, 1e-9)
			}
		}
	}
	paper := tests[0].rate
	require.InEpsilon(t, 5e-4/178_000, paper.Decay(5e-4, "mean"), 1e-9)
	require.InEpsilon(t, 5e-4*178_000, Rate{"mean", 1, 0, 178_000}.Decay(5e-4, "sum"), 1e-9)
	require.Equal(t, 5e-4, paper.Decay(5e-4, "sum"))
	require.Equal(t, "lr 1e-10 on the sum over about 178000 labelled pixels a step is 1.8e-05 on their mean, 0.0018 with momentum 0.99", paper.String())
	require.Equal(t, "lr 0.5 on the mean", tests[7].rate.String())
}

// The slow twin: what a translated rate and decay make of a weight is what the given
// ones do, step by step, whatever the gradients are.
func TestTranslatedStepsAreTheSame(t *testing.T) {
	const pixels, momentum = 1000.0, 0.9
	sgd := func(r Rate, decay float64) (path []float64) {
		w, v := 1.0, 0.0
		for i := range 30 {
			gradient := 0.3*w - 0.01*float64(i%5) // of the mean
			if r.Loss == "sum" {
				gradient *= pixels
			}
			v = r.Momentum*v + gradient + decay*w
			w -= r.LR * v
			path = append(path, w)
		}
		return path
	}
	given := Rate{"sum", 1e-5, momentum, pixels}
	same := given.On("mean", momentum)
	require.InDeltaSlice(t, sgd(given, 5), sgd(same, given.Decay(5, "mean")), 1e-12)
	require.NotEqual(t, sgd(given, 5)[29], sgd(same, 5)[29])
}

func TestJudge(t *testing.T) {
	tests := map[string]struct {
		change func(*TrainConfig)
		fresh  bool
		warn   string
		err    string
	}{
		"default":               {func(*TrainConfig) {}, true, "", ""},
		"the paper's":           {paperRate(1e-10), false, "", ""},
		"the paper's last":      {paperRate(1e-14), false, "", ""},
		"the paper's, no init":  {paperRate(1e-10), true, "train.lr: lr 1e-10 on the sum over about 178000 labelled pixels a step is 1.8e-05 on their mean, 0.0018 with momentum 0.99, too little for fresh weights", ""},
		"pytorch-fcn#17":        {paperRate(1e-4), false, "", "train.lr: lr 0.0001 on the sum over about 178000 labelled pixels a step is 18 on their mean, 1780 with momentum 0.99, and any network diverges there; the paper's rate on the sum is 1e-10, or set train.loss = \"mean\""},
		"clipped":               {func(c *TrainConfig) { paperRate(1e-4)(c); c.Clip = 1 }, false, "", ""},
		"bold":                  {paperRate(1e-6), false, "18 with momentum 0.99; above 1 few networks do not diverge", ""},
		"bold, mean":            {func(c *TrainConfig) { c.LR = 1 }, false, "lr 1 on the mean, 10 with momentum 0.9; above 1 few", ""},
		"mad, mean":             {func(c *TrainConfig) { c.LR = 1e30 }, false, "lr 1e+30 on the mean, 1e+31 with momentum 0.9; above 1 few", ""},
		"score layers alone":    {func(c *TrainConfig) { paperRate(1e-4)(c); c.Freeze = []string{"conv*", "fc*"} }, false, "above 1 few networks", ""},
		"slowed down":           {func(c *TrainConfig) { paperRate(1e-4)(c); c.EncoderLR, c.HeadLR = 1e-6, 1e-6 }, false, "", ""},
		"speeded up":            {func(c *TrainConfig) { c.Rates = map[string]float64{"score_*": 100} }, false, "lr 1 on the mean, 10 with", ""},
		"one layer mad":         {func(c *TrainConfig) { paperRate(1e-10)(c); c.Rates = map[string]float64{"fc7": 1e6} }, false, "", "train.lr: lr 0.0001 on the sum"},
		"the paper's on a mean": {func(c *TrainConfig) { paperRate(1e-10)(c); c.Loss = "mean" }, false, `train.lr: 1e-10 learns nothing with train.loss = "mean" and train.optimizer = "sgd"; the paper's 1e-10 is for the sum, with sgd`, ""},
		"adamw, sum":            {func(c *TrainConfig) { c.Optimizer, c.Loss, c.LR = "adamw", "sum", 1e-3 }, true, "", ""},
		"adamw, the paper's":    {func(c *TrainConfig) { c.Optimizer, c.Loss, c.LR = "adamw", "sum", 1e-10 }, true, "train.lr: 1e-10 learns nothing", ""},
	}
	net := models.Config{Arch: "fcn8s", Encoder: "vgg16", Classes: 21, Width: 64, Head: 4096, Upsample: models.Bilinear, Geometry: models.Paper}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := Default().Train
			test.change(&cfg)
			warnings, err := cfg.Judge(net.Variables(), 178_000, test.fresh)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				var key *KeyError
				require.ErrorAs(t, err, &key)
				require.Equal(t, "train.lr", key.Key)
				return
			}
			require.NoError(t, err)
			if test.warn == "" {
				require.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			require.Contains(t, warnings[0], test.warn)
		})
	}
}

// paperRate is the authors' solver with that rate.
func paperRate(lr float64) func(*TrainConfig) {
	return func(c *TrainConfig) { c.Loss, c.LR, c.Momentum, c.BiasLR = "sum", lr, 0.99, 2 }
}
