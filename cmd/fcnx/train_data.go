package main

import (
	"context"
	"fmt"
	"image/color"
	"math"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// trainData is what a run learns from and is scored on.
type trainData struct {
	classes  []datasets.Class
	digest   string // of both indices, for a resumed run to compare
	train    *datasets.Loader
	val      *datasets.Evaluation
	samples  datasets.Source // of the validation set
	trainLen int
	weights  []float64 // of the classes; nil: none

	trainSource, valSource datasets.Source // as the loaders read them
}

// openTrainData opens and checks both sets, and writes what follows from them, the
// number of classes, into cfg.
func openTrainData(ctx context.Context, cfg *train.Config, warn func(string)) (*trainData, error) {
	trainSpec, err := datasets.CapPixels(cfg.Data.Spec, int64(cfg.Data.MaxPixels))
	if err != nil {
		return nil, err
	}
	valSpec := trainSpec
	if cfg.Data.ValSpec != "" {
		if valSpec, err = datasets.CapPixels(cfg.Data.ValSpec, int64(cfg.Data.MaxPixels)); err != nil {
			return nil, err
		}
	}
	trainSource, err := datasets.Open(trainSpec, "train")
	if err != nil {
		return nil, err
	}
	valSource, err := datasets.Open(valSpec, "val")
	if err != nil {
		return nil, err
	}
	d := &trainData{
		classes:  trainSource.Classes(),
		digest:   datasets.Digest(trainSource) + "+" + datasets.Digest(valSource),
		samples:  valSource,
		trainLen: trainSource.Len(),
	}
	if err := d.settleClasses(cfg); err != nil {
		return nil, usageError(err)
	}
	if err := sameClasses(d.classes, valSource.Classes(), "the validation set "+valSpec); err != nil {
		return nil, err
	}
	deep := cfg.Train.ClassBalance != ""
	for _, set := range []struct {
		spec, split string
		source      datasets.Source
		count       bool
	}{{trainSpec, "train", trainSource, deep}, {valSpec, "val", valSource, false}} {
		check := dataCheck{spec: set.spec, split: set.split, count: set.count, warn: warn}
		if cfg.Data.BadSamples == train.BadSkip {
			check.skip = cfg.Data.MaxSkipped
		}
		summary, err := check.run(ctx, set.source)
		if err != nil {
			return nil, err
		}
		if set.count {
			d.weights = train.BalancedWeights(cfg.Train.ClassBalance, summary.Labels.Pixels, summary.Labels.ImagePixels)
		}
	}
	if p := (packs{dir: cfg.Data.Pack, said: "data.pack", warn: warn}); p.dir != "" {
		if trainSource, err = p.open(ctx, trainSource, trainSpec, datasets.Train, warn); err != nil {
			return nil, err
		}
		if valSource, err = p.open(ctx, valSource, valSpec, datasets.Val, warn); err != nil {
			return nil, err
		}
	}
	d.trainSource, d.valSource = trainSource, valSource
	if err := d.openLoaders(ctx, cfg); err != nil {
		return nil, err
	}
	if waste := d.train.PaddingWaste(); waste > 0.1 {
		warn(fmt.Sprintf("%.0f%% of the training pixels are padding (shapes of batch: %d); augment.crop, augment.resize or more data.buckets would save it",
			100*waste, len(d.train.Shapes())))
	}
	return d, nil
}

// settleClasses makes data and network agree on the number of classes. A network may
// have more than the data: those are numbered, and never true.
func (d *trainData) settleClasses(cfg *train.Config) error {
	n := len(d.classes)
	if cfg.Model.Classes == 0 {
		cfg.Model.Classes = n
	}
	if cfg.Model.Classes < n {
		return fmt.Errorf("model.classes is %d, but %s has %d classes", cfg.Model.Classes, cfg.Data.Spec, n)
	}
	d.classes = append(d.classes, numbered(cfg.Model.Classes)[n:]...)
	return nil
}

func (d *trainData) openLoaders(ctx context.Context, cfg *train.Config) error {
	fixed, augment, h, w, err := transforms(cfg.Augment, cfg.Preprocess)
	if err != nil {
		return err
	}
	loader := datasets.LoaderConfig{
		Batch: cfg.Train.Batch, Fixed: fixed, Augment: augment, Height: h, Width: w,
		Buckets: cfg.Data.Buckets, Seed: cfg.Run.Seed, Shuffle: cfg.Train.Shuffle,
		Workers: cfg.Data.Workers, SkipBad: cfg.Data.BadSamples == train.BadSkip, CacheBytes: int64(cfg.Data.Cache) << 20, Multiple: multipleOf(cfg.Model.Geometry),
	}
	if d.train, err = datasets.NewLoader(ctx, d.trainSource, loader); err != nil {
		return fmt.Errorf("training set: %w", err)
	}
	loader.Augment, loader.Shuffle, loader.Height, loader.Width = nil, false, 0, 0
	if fixed != nil {
		loader.Height, loader.Width, err = train.ParseSize(cfg.Augment.Resize)
		if err != nil {
			return err
		}
	}
	if cfg.Eval.Batch > 0 {
		loader.Batch = cfg.Eval.Batch
	}
	if d.val, err = datasets.NewEvaluation(ctx, d.valSource, loader); err != nil {
		return fmt.Errorf("validation set: %w", err)
	}
	return nil
}

// multipleOf is what the sides of a batch are rounded up to, in pixels: what the
// network would pad to anyway.
func multipleOf(geometry string) int {
	if geometry == models.Paper {
		return 1
	}
	return 32
}

// transforms turns [augment] into what the loader does: what is the same in every
// epoch, what chance does, and the size that comes out, where that is known.
func transforms(a train.AugmentConfig, p train.PreprocessConfig) (fixed, augment datasets.Transform, h, w int, err error) {
	if a.Resize != "" {
		if h, w, err = train.ParseSize(a.Resize); err != nil {
			return nil, nil, 0, 0, fmt.Errorf("augment.resize: %w", err)
		}
		fixed = datasets.Resize(h, w)
	}
	var chain []datasets.Transform
	if len(a.Scale) == 2 {
		chain = append(chain, datasets.ScaleJitter(a.Scale[0], a.Scale[1]))
	}
	if a.Crop != "" {
		if h, w, err = train.ParseSize(a.Crop); err != nil {
			return nil, nil, 0, 0, fmt.Errorf("augment.crop: %w", err)
		}
		chain = append(chain, datasets.Crop(h, w, meanColor(p)))
	}
	if a.Flip {
		chain = append(chain, datasets.FlipLR())
	}
	if a.Jitter > 0 {
		chain = append(chain, datasets.ColorJitter(a.Jitter))
	}
	if len(chain) > 0 {
		augment = datasets.Chain(chain...)
	}
	return fixed, augment, h, w, nil
}

// meanColor is the colour that preprocessing turns into zero, as nearly as bytes
// can: what a crop shows beyond the image.
func meanColor(p train.PreprocessConfig) color.RGBA {
	var c [3]uint8
	for i := range c {
		c[i] = uint8(math.Round(min(max(p.Mean[i]/p.Scale, 0), 255)))
	}
	if p.Order == "bgr" {
		c[0], c[2] = c[2], c[0]
	}
	return color.RGBA{c[0], c[1], c[2], 255}
}

// weighed adds the class weights that were counted to the configuration.
func (d *trainData) weighed(c train.TrainConfig) train.TrainConfig {
	if d.weights != nil {
		c.ClassWeights = d.weights
		for len(c.ClassWeights) < len(d.classes) {
			c.ClassWeights = append(c.ClassWeights, 1) // of classes that are never true
		}
	}
	return c
}

// evalEvery is the number of steps between evaluations: an epoch unless something
// else is said.
func (d *trainData) evalEvery(c train.EvalConfig) float64 {
	perEpoch := float64(d.train.BatchesPerEpoch())
	switch {
	case c.EverySteps > 0:
		return float64(c.EverySteps)
	case c.EveryEpochs > 0:
		return c.EveryEpochs * perEpoch
	}
	return perEpoch
}
