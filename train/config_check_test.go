package train

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// valid is the default with what has no default.
func valid() Config {
	c := Default()
	c.Data.Spec = "shapes"
	c.Train.Epochs = 10
	return c
}

func TestValidConfigurations(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"default":        func(*Config) {},
		"steps":          func(c *Config) { c.Train.Epochs, c.Train.Steps = 0, 100 },
		"paper":          func(c *Config) { c.Model.Geometry, c.Train.LR, c.Train.Momentum = "paper", 1e-10, 0.99 },
		"at once":        func(c *Config) { c.Model.AtOnce = true },
		"crop and scale": func(c *Config) { c.Augment.Crop, c.Augment.Scale = "480x480", []float64{0.5, 2} },
		"step":           func(c *Config) { c.Train.Schedule, c.Train.Milestones = "step", []float64{0.5, 0.75} },
		"weights":        func(c *Config) { c.Model.Classes, c.Train.ClassWeights = 3, []float64{0, 1, 2} },
		"balance":        func(c *Config) { c.Train.ClassBalance = "median" },
		"long warm-up":   func(c *Config) { c.Train.Warmup = 1000 },
		"cuda, tf32":     func(c *Config) { c.Device.Backend, c.Device.TF32, c.Device.Deterministic = "cuda", false, true },
		"auto, memory":   func(c *Config) { c.Device.MemoryFraction, c.Device.Preallocate = 1, true },
		"metrics":        func(c *Config) { c.Run.MetricsAddr = "[::1]:0" },
		"metrics to all": func(c *Config) { c.Run.MetricsAddr = ":65535" },
		"accumulate":     func(c *Config) { c.Device.Devices, c.Train.Batch, c.Train.Accumulate = 2, 12, 6 },
		"freeze":         func(c *Config) { c.Train.Freeze = []string{"conv[12]_*", "upscore?"} },
		"rates":          func(c *Config) { c.Train.Rates = map[string]float64{"conv[12]_*": 0, "score_*": 10} },
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			change(&c)
			require.NoError(t, c.Validate())
		})
	}
}

func TestValidate(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Run.Name = "a/b" }, `run.name: "a/b" does not name a directory below run.out`},
		{func(c *Config) { c.Run.Name = ".." }, `run.name: ".." does not name a directory below run.out`},
		{func(c *Config) { c.Run.Name = "a\x00" }, `run.name: "a\x00" does not name a directory below run.out`},
		{func(c *Config) { c.Run.Seed = math.MaxUint64 }, `run.seed: 18446744073709551615 is above 9223372036854775807, the largest integer of TOML`},
		{func(c *Config) { c.Run.Out = "" }, `run.out: empty; say where runs go, "runs" say`},
		{func(c *Config) { c.Run.UI = "plian" }, `run.ui: no "plian" among auto tui plain json none; did you mean plain?`},
		{func(c *Config) { c.Device.Backend = "gpu" }, `device.backend: no "gpu" among auto cpu cuda go; did you mean cpu?`},
		{func(c *Config) { c.Device.Devices = 0 }, `device.devices: 0 is not between 1 and 1024`},
		{func(c *Config) { c.Device.Devices, c.Train.Batch = 3, 8 }, `train.batch: 8 images cannot be shared evenly by 3 devices; 6 or 9 can`},
		{func(c *Config) { c.Device.Devices, c.Train.Batch = 4, 2 }, `train.batch: 2 images cannot be shared evenly by 4 devices; 4 can`},
		{func(c *Config) { c.Device.MemoryFraction = 0 }, `device.memory_fraction: 0 is not above 0 and at most 1`},
		{func(c *Config) { c.Device.MemoryFraction = 1.5 }, `device.memory_fraction: 1.5 is not above 0 and at most 1`},
		{func(c *Config) { c.Device.MemoryFraction = nan }, `device.memory_fraction: NaN is not above 0 and at most 1`},
		{func(c *Config) { c.Device.Backend, c.Device.TF32 = "cpu", false }, `device.tf32: device.backend = "cpu" has none; "cuda" has`},
		{func(c *Config) { c.Device.Backend, c.Device.MemoryFraction = "cpu", 0.9 }, `device.memory_fraction: device.backend = "cpu" has none; "cuda" has`},
		{func(c *Config) { c.Device.Backend, c.Device.Preallocate = "go", true }, `device.preallocate: device.backend = "go" has none; "cuda" has`},
		{func(c *Config) { c.Device.Backend, c.Device.Deterministic = "cpu", true }, `device.deterministic: device.backend = "cpu" has none; "cuda" has`},
		{func(c *Config) { c.Train.Accumulate = 0 }, `train.accumulate: 0 is not between 1 and 65536`},
		{func(c *Config) { c.Train.Batch, c.Train.Accumulate = 8, 3 }, `train.accumulate: a batch of 8 images cannot be computed in 3 equal parts; in 2 or 4 it can`},
		{func(c *Config) { c.Train.Batch, c.Train.Accumulate = 8, 16 }, `train.accumulate: a batch of 8 images cannot be computed in 16 equal parts; in 8 it can`},
		{func(c *Config) { c.Device.Devices, c.Train.Batch, c.Train.Accumulate = 2, 12, 4 }, `train.accumulate: a batch of 12 images on 2 devices cannot be computed in 4 equal parts; in 3 or 6 it can`},
		{func(c *Config) { c.Run.MetricsAddr = "9400" }, `run.metrics_addr: "9400" is not host:port; 127.0.0.1:9400 is`},
		{func(c *Config) { c.Run.MetricsAddr = "::1:9400" }, `run.metrics_addr: "::1:9400" is not host:port; 127.0.0.1:9400 is`},
		{func(c *Config) { c.Run.MetricsAddr = "localhost:" }, `run.metrics_addr: "localhost:" is not host:port; 127.0.0.1:9400 is`},
		{func(c *Config) { c.Run.MetricsAddr = "localhost:65536" }, `run.metrics_addr: "localhost:65536" is not host:port; 127.0.0.1:9400 is`},
		{func(c *Config) { c.Data.Spec = "" }, `data.spec: say what to learn from: --data shapes, --data folder:DIR, ...`},
		{func(c *Config) { c.Data.Workers = -1 }, `data.workers: -1 is not between 0 and 1024`},
		{func(c *Config) { c.Data.Cache = -1 }, `data.cache: -1 is not between 0 and 2147483647`},
		{func(c *Config) { c.Data.Buckets = 0 }, `data.buckets: 0 is not between 1 and 1024`},
		{func(c *Config) { c.Augment.Resize = "480" }, `augment.resize: expected a size HxW in pixels, "192x256" say, found "480"`},
		{func(c *Config) { c.Augment.Crop = "0x8" }, `augment.crop: expected a size HxW in pixels, "192x256" say, found "0x8"`},
		{func(c *Config) { c.Augment.Scale = []float64{0.5, 2} }, `augment.scale: needs augment.crop, or every image of a batch would have a size of its own`},
		{func(c *Config) { c.Augment.Crop, c.Augment.Scale = "8x8", []float64{2, 1} }, `augment.scale: [2 1] is not [lo, hi] with 0 < lo <= hi <= 100`},
		{func(c *Config) { c.Augment.Crop, c.Augment.Scale = "8x8", []float64{1} }, `augment.scale: [1] is not [lo, hi] with 0 < lo <= hi <= 100`},
		{func(c *Config) { c.Augment.Jitter = 1 }, `augment.jitter: 1 is not in [0, 1)`},
		{func(c *Config) { c.Model.Arch = "fcn8" }, `model.arch: no "fcn8" among fcn32s fcn16s fcn8s; did you mean fcn8s?`},
		{func(c *Config) { c.Model.Encoder = "VGG16-BN" }, `model.encoder: no "VGG16-BN" among vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn; did you mean vgg16_bn?`},
		{func(c *Config) { c.Model.Width = 0 }, `model.width: 0 is not between 1 and 1024`},
		{func(c *Config) { c.Model.Head = 0 }, `model.head: 0 is not between 1 and 65536`},
		{func(c *Config) { c.Model.Classes = 1 }, `model.classes: 1 is not between 2 and 255, nor 0 for as many as the data has`},
		{func(c *Config) { c.Model.Classes = 256 }, `model.classes: 256 is not between 2 and 255, nor 0 for as many as the data has`},
		{func(c *Config) { c.Model.Upsample = "nearest" }, `model.upsample: no "nearest" among learned depthwise bilinear`},
		{func(c *Config) { c.Model.Geometry = "valid" }, `model.geometry: no "valid" among same paper`},
		{func(c *Config) { c.Model.Dropout = 1 }, `model.dropout: 1 is not in [0, 1)`},
		{func(c *Config) { c.Model.Arch, c.Model.AtOnce = "fcn32s", true }, `model.at_once: fcn32s has no skip layers to scale`},
		{func(c *Config) { c.Model.Init, c.Model.InitParts = "w", []string{"head"} }, `model.init_parts: [head] is neither ["encoder"] nor ["encoder", "head"], nor empty for everything`},
		{func(c *Config) { c.Model.Init, c.Model.InitPreprocess = "w", "cafe" }, `model.init_preprocess: no "cafe" among torchvision caffe caffe-rgb features; did you mean caffe?`},
		{func(c *Config) { c.Model.Init, c.Model.InitOrder = "w", "gbr" }, `model.init_order: no "gbr" among rgb bgr; did you mean bgr?`},
		{func(c *Config) { c.Model.InitParts = []string{"encoder"} }, `model.init_parts: there is nothing that it could be of: model.init is empty`},
		{func(c *Config) { c.Model.InitPreprocess = "caffe" }, `model.init_preprocess: there is nothing that it could be of: model.init is empty`},
		{func(c *Config) { c.Preprocess.Order = "gbr" }, `preprocess.order: no "gbr" among rgb bgr; did you mean bgr?`},
		{func(c *Config) { c.Preprocess.Scale = 0 }, `preprocess.scale: 0 is not above 0`},
		{func(c *Config) { c.Preprocess.Mean[1] = nan }, `preprocess.mean: NaN is not a finite number`},
		{func(c *Config) { c.Preprocess.Std[2] = 0 }, `preprocess.std: 0 is not above 0`},
		{func(c *Config) { c.Train.Epochs = 0 }, `train.steps: say how long to train: --steps N or --epochs N`},
		{func(c *Config) { c.Train.Steps = 10 }, `train.steps: train.epochs is given too; give one of them`},
		{func(c *Config) { c.Train.Epochs = nan }, `train.epochs: NaN is not between 0 and 1000000`},
		{func(c *Config) { c.Train.Epochs, c.Train.Steps = 0, -1 }, `train.steps: -1 is not between 0 and 1000000000`},
		{func(c *Config) { c.Train.Batch = 0 }, `train.batch: 0 is not between 1 and 65536`},
		{func(c *Config) { c.Train.Loss = "avg" }, `train.loss: no "avg" among mean sum`},
		{func(c *Config) { c.Train.ClassWeights = []float64{2, -1} }, `train.class_weights: -1 is not 0 or above`},
		{func(c *Config) { c.Train.ClassWeights = []float64{0, 0} }, `train.class_weights: all are 0: nothing would be learned`},
		{func(c *Config) { c.Model.Classes, c.Train.ClassWeights = 3, []float64{1, 1} }, `train.class_weights: 2 weights for the 3 classes of model.classes`},
		{func(c *Config) { c.Train.ClassBalance = "medium" }, `train.class_balance: no "medium" among median inverse; did you mean median?`},
		{func(c *Config) { c.Train.ClassWeights, c.Train.ClassBalance = []float64{1, 1}, "median" }, `train.class_balance: train.class_weights is given too; give one of them`},
		{func(c *Config) { c.Train.Optimizer = "adam" }, `train.optimizer: no "adam" among sgd adamw; did you mean adamw?`},
		{func(c *Config) { c.Train.LR = 0 }, `train.lr: 0 is not above 0`},
		{func(c *Config) { c.Train.LR = inf }, `train.lr: +Inf is not above 0`},
		{func(c *Config) { c.Train.Momentum = 1 }, `train.momentum: 1 is not in [0, 1)`},
		{func(c *Config) { c.Train.Nesterov, c.Train.Momentum = true, 0 }, `train.nesterov: needs train.optimizer = "sgd" and train.momentum above 0`},
		{func(c *Config) { c.Train.Nesterov, c.Train.Optimizer = true, "adamw" }, `train.nesterov: needs train.optimizer = "sgd" and train.momentum above 0`},
		{func(c *Config) { c.Train.WeightDecay = -1 }, `train.weight_decay: -1 is not 0 or above`},
		{func(c *Config) { c.Train.BiasLR = -1 }, `train.bias_lr: -1 is not 0 or above`},
		{func(c *Config) { c.Train.EncoderLR = -1 }, `train.encoder_lr: -1 is not 0 or above`},
		{func(c *Config) { c.Train.HeadLR = nan }, `train.head_lr: NaN is not 0 or above`},
		{func(c *Config) { c.Train.Freeze = []string{"conv1_["} }, `train.freeze: "conv1_[" is no pattern of layer names; "conv1_*" is one`},
		{func(c *Config) { c.Train.Freeze = []string{""} }, `train.freeze: "" is no pattern of layer names; "conv1_*" is one`},
		{func(c *Config) { c.Train.Rates = map[string]float64{"conv1_[": 1} }, `train.rates: "conv1_[" is no pattern of layer names; "score_*" is one`},
		{func(c *Config) { c.Train.Rates = map[string]float64{"": 1} }, `train.rates: "" is no pattern of layer names; "score_*" is one`},
		{func(c *Config) { c.Train.Rates = map[string]float64{"fc6": -1} }, `train.rates: -1 for "fc6" is not 0 or above`},
		{func(c *Config) { c.Train.Rates = map[string]float64{"fc6": nan} }, `train.rates: NaN for "fc6" is not 0 or above`},
		{func(c *Config) { c.Train.Rates = map[string]float64{"fc6": inf} }, `train.rates: +Inf for "fc6" is not 0 or above`},
		{func(c *Config) { c.Train.Clip = -1 }, `train.clip: -1 is not 0 or above`},
		{func(c *Config) { c.Train.Precision = "float16" }, `train.precision: no "float16" among float32 bfloat16; did you mean bfloat16?`},
		{func(c *Config) { c.Train.Schedule = "poli" }, `train.schedule: no "poli" among constant poly cosine step; did you mean poly?`},
		{func(c *Config) { c.Train.Power = 0 }, `train.power: 0 is not above 0`},
		{func(c *Config) {
			c.Train.Schedule, c.Train.Milestones, c.Train.StepFactor = "step", []float64{0.5}, 2
		}, `train.step_factor: 2 is not in (0, 1]`},
		{func(c *Config) { c.Train.StepFactor = 0.5 }, `train.step_factor: train.schedule = "poly" has none; "step" has`},
		{func(c *Config) { c.Train.Schedule, c.Train.Power = "cosine", 2 }, `train.power: train.schedule = "cosine" has none; "poly" has`},
		{func(c *Config) { c.Train.Optimizer, c.Train.Momentum = "adamw", 0.5 }, `train.momentum: train.optimizer = "adamw" has none`},
		{func(c *Config) { c.Train.Warmup = -1 }, `train.warmup: -1 is not between 0 and 1000000000`},
		{func(c *Config) { c.Train.Milestones = []float64{0.5} }, `train.milestones: train.schedule = "poly" has none; "step" has`},
		{func(c *Config) { c.Train.Schedule = "step" }, `train.milestones: train.schedule = "step" needs them: [0.6, 0.9], say`},
		{func(c *Config) { c.Train.Schedule, c.Train.Milestones = "step", []float64{0.9, 0.6} }, `train.milestones: [0.9 0.6] are not fractions of the run, above 0, below 1 and rising`},
		{func(c *Config) { c.Train.Schedule, c.Train.Milestones = "step", []float64{nan} }, `train.milestones: [NaN] are not fractions of the run, above 0, below 1 and rising`},
		{func(c *Config) { c.Eval.EverySteps = -1 }, `eval.every_steps: -1 is not between 0 and 1000000000`},
		{func(c *Config) { c.Eval.EveryEpochs = -1 }, `eval.every_epochs: -1 is not 0 or above`},
		{func(c *Config) { c.Eval.EverySteps, c.Eval.EveryEpochs = 1, 1 }, `eval.every_steps: eval.every_epochs is given too; give one of them`},
		{func(c *Config) { c.Eval.Batch = -1 }, `eval.batch: -1 is not between 0 and 65536`},
		{func(c *Config) { c.Checkpoint.EverySteps = -1 }, `checkpoint.every_steps: -1 is not between 0 and 1000000000`},
		{func(c *Config) { c.Checkpoint.EveryMinutes = -1 }, `checkpoint.every_minutes: -1 is not 0 or above`},
		{func(c *Config) { c.Checkpoint.Keep = 0 }, `checkpoint.keep: 0 is not between 1 and 1000000`},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			c := valid()
			test.change(&c)
			require.EqualError(t, c.Validate(), test.want)
		})
	}
}

func TestValidateNetworkAsksForNoTraining(t *testing.T) {
	c := Default() // neither data nor length
	require.NoError(t, c.ValidateNetwork())
	c.Model.Arch = "fcn4s"
	require.ErrorContains(t, c.ValidateNetwork(), "model.arch")
}

func TestExplainSaysWhere(t *testing.T) {
	c, origins, err := Load(Sources{
		Path: "a.toml", File: []byte("[train]\nlr = -1\nepochs = 2\n"),
		Sets: []string{"model.width=0"},
	})
	require.NoError(t, err)
	require.EqualError(t, origins.Explain(c.Validate()),
		"data.spec: say what to learn from: --data shapes, --data folder:DIR, ...\n"+
			"--set: model.width: 0 is not between 1 and 1024\n"+
			"a.toml:2:1: train.lr: -1 is not above 0")
	require.NoError(t, origins.Explain(nil))
}

func TestParseSize(t *testing.T) {
	h, w, err := ParseSize("192x256")
	require.NoError(t, err)
	require.Equal(t, [2]int{192, 256}, [2]int{h, w})
	for _, bad := range []string{"", "x", "192", "192x", "x256", "0x1", "-1x1", "1x65537", "1x2x3", "192X256", " 1x1", "1.5x2"} {
		_, _, err := ParseSize(bad)
		require.Error(t, err, "%q", bad)
	}
}

func FuzzParseSize(f *testing.F) {
	memtest.Cap(f)
	for _, seed := range []string{"192x256", "1x65536", "0x1", "-1x-1", "99999999999999999999x1", "1x1x1", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, w, err := ParseSize(text)
		if err != nil {
			require.NotContains(t, err.Error(), "\x1b")
			return
		}
		require.True(t, 1 <= h && h <= sideLimit && 1 <= w && w <= sideLimit, "%d %d", h, w)
		again, width, err := ParseSize(fmt.Sprintf("%dx%d", h, w))
		require.NoError(t, err)
		require.Equal(t, [2]int{h, w}, [2]int{again, width})
	})
}
