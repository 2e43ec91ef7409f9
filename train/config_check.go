package train

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/fcnx/fcnx/datasets"
)

// The names that keys take.
var (
	screens    = []string{"auto", "tui", "plain", "json", "none"}
	backends   = []string{"auto", "cpu", "cuda", "go"}
	archs      = []string{"fcn32s", "fcn16s", "fcn8s"}
	encoders   = []string{"vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"}
	upsamples  = []string{"learned", "depthwise", "bilinear"}
	geometries = []string{"same", "paper"}
	orders     = []string{"rgb", "bgr"}
	// The names of weights.NamedPreprocess.
	initPreprocesses = []string{"", "torchvision", "caffe", "caffe-rgb", "features"}
	initParts        = [][]string{nil, {"encoder"}, {"encoder", "head"}}
	losses           = []string{"mean", "sum"}
	balances         = []string{"", "median", "inverse"}
	optimizers       = []string{"sgd", "adamw"}
	schedules        = []string{"constant", "poly", "cosine", "step"}
	precisions       = Precisions()
	badSamples       = []string{BadFail, BadSkip}
)

// Validate finds every value that a run could not use, and every one that it would
// silently ignore. Its error joins a [*KeyError] for each; see [Origins.Explain].
func (c Config) Validate() error {
	var k checker
	k.run(c.Run)
	k.cuda(c.Device)
	k.data(c.Data)
	k.stages(c)
	k.each(c, (*checker).network)
	k.initial(c.Model)
	k.augment(c.Augment)
	k.each(c, func(k *checker, stage Config) {
		if len(c.Stage) == 0 || stage.Train.Steps != 0 || stage.Train.Epochs != 0 {
			k.duration(stage.Train)
			k.shared(stage)
		}
		k.optimisation(stage.Train, stage.Model)
		k.schedule(stage.Train)
	})
	k.often(c.Eval, c.Checkpoint)
	k.handOver(c)
	return errors.Join(k.errs...)
}

// ValidateNetwork finds what evaluation and prediction could not use: the part of
// [Config.Validate] that has nothing to do with training.
func (c Config) ValidateNetwork() error {
	var k checker
	k.each(c, (*checker).network)
	return errors.Join(k.errs...)
}

// checker collects what is wrong.
type checker struct{ errs []error }

// must adds an error about key unless ok.
func (k *checker) must(ok bool, key, format string, args ...any) {
	if !ok {
		k.errs = append(k.errs, &KeyError{Key: key, Err: fmt.Errorf(format, args...)})
	}
}

// within is for integers, NaN-free; both ends are allowed.
func (k *checker) within(key string, value, lo, hi int) {
	k.must(lo <= value && value <= hi, key, "%d is not between %d and %d", value, lo, hi)
}

// finite also refuses NaN.
func (k *checker) finite(key string, value float64) {
	k.must(!math.IsNaN(value) && !math.IsInf(value, 0), key, "%v is not a finite number", value)
}

// positive means above zero, and finite.
func (k *checker) positive(key string, value float64) {
	k.must(value > 0 && !math.IsInf(value, 0), key, "%v is not above 0", value)
}

// notNegative means zero or above, and finite.
func (k *checker) notNegative(key string, value float64) {
	k.must(value >= 0 && !math.IsInf(value, 0), key, "%v is not 0 or above", value)
}

// share means from 0 to below 1.
func (k *checker) share(key string, value float64) {
	k.must(value >= 0 && value < 1, key, "%v is not in [0, 1)", value)
}

func (k *checker) oneOf(key, value string, names []string) {
	k.must(slices.Contains(names, value), key, "no %q among %s%s",
		value, strings.TrimPrefix(strings.Join(names, " "), " "), didYouMean(nearest(value, names)))
}

func (k *checker) size(key, value string) {
	if value == "" {
		return
	}
	if _, _, err := ParseSize(value); err != nil {
		k.errs = append(k.errs, &KeyError{Key: key, Err: err})
	}
}

func (k *checker) run(c RunConfig) {
	bad := strings.ContainsFunc(c.Name, func(r rune) bool { return r == '/' || r == '\\' || !unicode.IsPrint(r) })
	k.must(!bad && c.Name != "." && c.Name != ".." && len(c.Name) <= 200, "run.name",
		"%q does not name a directory below run.out", c.Name)
	k.must(c.Seed <= math.MaxInt64, "run.seed", "%d is above %d, the largest integer of TOML", c.Seed, int64(math.MaxInt64))
	k.must(c.Out != "", "run.out", "empty; say where runs go, \"runs\" say")
	k.oneOf("run.ui", c.UI, screens)
	k.address("run.metrics_addr", c.MetricsAddr)
}

// cuda refuses settings of GPUs for a run on something else. Evaluation and prediction take
// them from a run, which may have been on another machine, and warn.
func (k *checker) cuda(c DeviceConfig) {
	for _, key := range c.CUDAKeys() {
		k.must(c.Backend == "cuda" || c.Backend == "auto", key, "device.backend = %q has none; \"cuda\" has", c.Backend)
	}
}

// CUDAKeys are the keys that have a meaning on GPUs alone and not their default.
func (c DeviceConfig) CUDAKeys() (keys []string) {
	d := Default().Device
	for _, k := range []struct {
		key  string
		said bool
	}{
		{"device.tf32", c.TF32 != d.TF32},
		{"device.memory_fraction", c.MemoryFraction != d.MemoryFraction},
		{"device.preallocate", c.Preallocate != d.Preallocate},
		{"device.deterministic", c.Deterministic != d.Deterministic},
	} {
		if k.said {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// address is for host:port; an empty host means every address of the machine.
func (k *checker) address(key, value string) {
	if value == "" {
		return
	}
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	k.must(err == nil, key, "%q is not host:port; 127.0.0.1:9400 is", value)
}

func (k *checker) data(c DataConfig) {
	k.must(c.Spec != "", "data.spec", "say what to learn from: --data shapes, --data folder:DIR, ...")
	k.within("data.workers", c.Workers, 0, 1024)
	k.within("data.cache", c.Cache, 0, math.MaxInt32)
	k.within("data.buckets", c.Buckets, 1, 1024)
	k.within("data.max_pixels", c.MaxPixels, 1, datasets.MaxMaxPixels)
	k.oneOf("data.bad_samples", c.BadSamples, badSamples)
	k.must(c.MaxSkipped >= 0 && c.MaxSkipped <= 1, "data.max_skipped", "%v is no share between 0 and 1", c.MaxSkipped)
	k.must(c.BadSamples == BadSkip || c.MaxSkipped == Default().Data.MaxSkipped, "data.max_skipped", "nothing is skipped unless data.bad_samples = %q", BadSkip)
}

// network checks what training, evaluation and prediction share.
func (k *checker) network(c Config) {
	k.oneOf("device.backend", c.Device.Backend, backends)
	k.devices(c)
	k.must(c.Device.MemoryFraction > 0 && c.Device.MemoryFraction <= 1, "device.memory_fraction", "%v is not above 0 and at most 1", c.Device.MemoryFraction)
	k.size("augment.resize", c.Augment.Resize)

	m := c.Model
	k.oneOf("model.arch", m.Arch, archs)
	k.oneOf("model.encoder", m.Encoder, encoders)
	k.within("model.width", m.Width, 1, 1024)
	k.within("model.head", m.Head, 1, 1<<16)
	// 255 is the label of pixels that do not count.
	k.must(m.Classes == 0 || m.Classes >= 2 && m.Classes <= 255, "model.classes",
		"%d is not between 2 and 255, nor 0 for as many as the data has", m.Classes)
	k.oneOf("model.upsample", m.Upsample, upsamples)
	k.oneOf("model.geometry", m.Geometry, geometries)
	k.share("model.dropout", m.Dropout)
	k.must(!m.AtOnce || m.Arch != "fcn32s", "model.at_once", "fcn32s has no skip layers to scale")

	k.must(slices.ContainsFunc(initParts, func(parts []string) bool { return slices.Equal(parts, m.InitParts) }), "model.init_parts",
		"%v is neither [\"encoder\"] nor [\"encoder\", \"head\"], nor empty for everything", m.InitParts)
	k.oneOf("model.init_preprocess", m.InitPreprocess, initPreprocesses)
	k.oneOf("model.init_order", m.InitOrder, append([]string{""}, orders...))

	p := c.Preprocess
	k.oneOf("preprocess.order", p.Order, orders)
	k.positive("preprocess.scale", p.Scale)
	for i := range p.Mean {
		k.finite("preprocess.mean", p.Mean[i])
		k.positive("preprocess.std", p.Std[i])
	}
}

// initial refuses keys about weights that there are not.
func (k *checker) initial(m ModelConfig) {
	const none = "there is nothing that it could be of: model.init is empty"
	k.must(m.Init != "" || len(m.InitParts) == 0, "model.init_parts", none)
	k.must(m.Init != "" || m.InitPreprocess == "", "model.init_preprocess", none)
	k.must(m.Init != "" || m.InitOrder == "", "model.init_order", none)
}

func (k *checker) augment(c AugmentConfig) {
	k.size("augment.crop", c.Crop)
	if len(c.Scale) > 0 {
		ok := len(c.Scale) == 2 && c.Scale[0] > 0 && c.Scale[0] <= c.Scale[1] && c.Scale[1] <= 100
		k.must(ok, "augment.scale", "%v is not [lo, hi] with 0 < lo <= hi <= 100", c.Scale)
		k.must(c.Crop != "", "augment.scale", "needs augment.crop, or every image of a batch would have a size of its own")
	}
	k.share("augment.jitter", c.Jitter)
}

// duration checks how long the run is and how large its batches are.
func (k *checker) duration(c TrainConfig) {
	switch {
	case c.Steps != 0 && c.Epochs != 0:
		k.must(false, "train.steps", "train.epochs is given too; give one of them")
	case c.Steps == 0 && c.Epochs == 0:
		k.must(false, "train.steps", "say how long to train: --steps N or --epochs N")
	}
	k.within("train.steps", c.Steps, 0, 1_000_000_000)
	k.must(c.Epochs >= 0 && c.Epochs <= 1e6, "train.epochs", "%v is not between 0 and 1000000", c.Epochs)
	k.within("train.batch", c.Batch, 1, 1<<16)
}

// shared checks that devices can share a batch, and each of its micro-batches.
func (k *checker) shared(c Config) {
	batch, devices := c.Train.Batch, c.Device.Devices
	if batch < 1 || devices < 1 {
		return // which is told already
	}
	fits := strconv.Itoa((batch/devices + 1) * devices)
	if batch > devices {
		fits = fmt.Sprintf("%d or %s", batch/devices*devices, fits)
	}
	k.must(batch%devices == 0, "train.batch", "%d images cannot be shared evenly by %d devices; %s can", batch, devices, fits)
	k.parts(c)
	if n, each := c.Train.Accumulate, batch/devices; batch%devices == 0 && n > 1 && each%n != 0 {
		below, above := n, n
		for below > 1 && each%below != 0 {
			below--
		}
		for above < each && each%above != 0 {
			above++
		}
		fits := strconv.Itoa(below)
		if each%above == 0 {
			fits = fmt.Sprintf("%d or %d", below, above)
		}
		whole := fmt.Sprintf("a batch of %d images", batch)
		if devices > 1 {
			whole += fmt.Sprintf(" on %d devices", devices)
		}
		k.must(false, "train.accumulate", "%s cannot be computed in %d equal parts; in %s it can", whole, n, fits)
	}
}

func (k *checker) optimisation(c TrainConfig, m ModelConfig) {
	k.oneOf("train.loss", c.Loss, losses)
	sum := 0.0
	for _, w := range c.ClassWeights {
		k.notNegative("train.class_weights", w)
		sum += w
	}
	k.must(len(c.ClassWeights) == 0 || sum != 0, "train.class_weights", "all are 0: nothing would be learned")
	k.must(len(c.ClassWeights) == 0 || m.Classes == 0 || len(c.ClassWeights) == m.Classes, "train.class_weights",
		"%d weights for the %d classes of model.classes", len(c.ClassWeights), m.Classes)
	k.oneOf("train.class_balance", c.ClassBalance, balances)
	k.must(len(c.ClassWeights) == 0 || c.ClassBalance == "", "train.class_balance", "train.class_weights is given too; give one of them")

	k.oneOf("train.optimizer", c.Optimizer, optimizers)
	k.positive("train.lr", c.LR)
	k.share("train.momentum", c.Momentum)
	k.must(c.Optimizer == "sgd" || c.Momentum == Default().Train.Momentum, "train.momentum", "train.optimizer = %q has none", c.Optimizer)
	k.must(!c.Nesterov || c.Optimizer == "sgd" && c.Momentum > 0, "train.nesterov", "needs train.optimizer = \"sgd\" and train.momentum above 0")
	k.notNegative("train.weight_decay", c.WeightDecay)
	k.notNegative("train.bias_lr", c.BiasLR)
	k.notNegative("train.encoder_lr", c.EncoderLR)
	k.notNegative("train.head_lr", c.HeadLR)
	for _, pattern := range c.Freeze {
		_, err := path.Match(pattern, "")
		k.must(pattern != "" && err == nil, "train.freeze", "%q is no pattern of layer names; \"conv1_*\" is one", pattern)
	}
	for _, pattern := range slices.Sorted(maps.Keys(c.Rates)) {
		_, err := path.Match(pattern, "")
		k.must(pattern != "" && err == nil, "train.rates", "%q is no pattern of layer names; \"score_*\" is one", pattern)
		rate := c.Rates[pattern]
		k.must(rate >= 0 && !math.IsInf(rate, 0), "train.rates", "%v for %q is not 0 or above", rate, pattern)
	}
	k.notNegative("train.clip", c.Clip)
	k.oneOf("train.precision", c.Precision, precisions)
	k.within("train.retries", c.Retries, 0, 100)
	k.must(c.RetryLR > 0 && c.RetryLR < 1, "train.retry_lr", "%v is not above 0 and below 1", c.RetryLR)
}

func (k *checker) schedule(c TrainConfig) {
	k.oneOf("train.schedule", c.Schedule, schedules)
	k.positive("train.power", c.Power)
	k.must(c.Schedule == "poly" || c.Power == Default().Train.Power, "train.power", "train.schedule = %q has none; \"poly\" has", c.Schedule)
	k.must(c.Schedule == "step" || c.StepFactor == Default().Train.StepFactor, "train.step_factor", "train.schedule = %q has none; \"step\" has", c.Schedule)
	k.must(c.StepFactor > 0 && c.StepFactor <= 1, "train.step_factor", "%v is not in (0, 1]", c.StepFactor)
	k.within("train.warmup", c.Warmup, 0, 1_000_000_000)

	if c.Schedule != "step" {
		k.must(len(c.Milestones) == 0, "train.milestones", "train.schedule = %q has none; \"step\" has", c.Schedule)
		return
	}
	k.must(len(c.Milestones) > 0, "train.milestones", "train.schedule = \"step\" needs them: [0.6, 0.9], say")
	last, rising := 0.0, true
	for _, m := range c.Milestones {
		rising = rising && last < m && m < 1
		last = m
	}
	k.must(rising, "train.milestones", "%v are not fractions of the run, above 0, below 1 and rising", c.Milestones)
}

func (k *checker) often(e EvalConfig, c CheckpointConfig) {
	k.within("eval.every_steps", e.EverySteps, 0, 1_000_000_000)
	k.notNegative("eval.every_epochs", e.EveryEpochs)
	k.must(e.EverySteps == 0 || e.EveryEpochs == 0, "eval.every_steps", "eval.every_epochs is given too; give one of them")
	k.within("eval.batch", e.Batch, 0, 1<<16)
	k.within("eval.previews", e.Previews, 0, 64)
	k.within("checkpoint.every_steps", c.EverySteps, 0, 1_000_000_000)
	k.notNegative("checkpoint.every_minutes", c.EveryMinutes)
	k.within("checkpoint.keep", c.Keep, 1, 1_000_000)
	k.notNegative("checkpoint.patience_minutes", c.PatienceMinutes)
}
