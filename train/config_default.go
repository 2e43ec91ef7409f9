package train

import "github.com/fcnx/fcnx/datasets"

// Default is the configuration before anyone has said anything: FCN-8s on VGG16
// from scratch, with torchvision's preprocessing and SGD. What to learn from, and
// for how long, has no default; [Config.Validate] asks for both.
func Default() Config {
	return Config{
		Run: RunConfig{
			Seed: 1,
			Out:  "runs",
			UI:   "auto",
		},
		Device: DeviceConfig{
			Backend:  "auto",
			Devices:  1,
			Winograd: true,
			// As XLA itself.
			TF32:           true,
			MemoryFraction: 0.75,
		},
		Data: DataConfig{
			Buckets:    4,
			MaxPixels:  datasets.DefaultMaxPixels,
			BadSamples: BadFail,
			MaxSkipped: 0.05,
		},
		Model: ModelConfig{
			Arch:     "fcn8s",
			Encoder:  "vgg16",
			Width:    64,
			Head:     4096,
			Upsample: "learned",
			Geometry: "same",
			Dropout:  0.5,
		},
		// The means and deviations of ImageNet, which the published weights of
		// torchvision's VGG nets expect.
		Preprocess: PreprocessConfig{
			Order: "rgb",
			Scale: 1.0 / 255,
			Mean:  [3]float64{0.485, 0.456, 0.406},
			Std:   [3]float64{0.229, 0.224, 0.225},
		},
		Train: TrainConfig{
			Batch:       8,
			Accumulate:  1,
			Shuffle:     true,
			Loss:        "mean",
			Optimizer:   "sgd",
			LR:          0.01,
			Momentum:    0.9,
			WeightDecay: 5e-4,
			BiasLR:      1,
			EncoderLR:   1,
			HeadLR:      1,
			Rates:       map[string]float64{},
			Schedule:    "poly",
			Power:       0.9,
			StepFactor:  0.1,
			Precision:   Float32,
			RetryLR:     0.5,
		},
		Eval: EvalConfig{
			Previews: 6,
		},
		// A net of the paper's size makes an epoch long on a CPU; ten minutes is
		// what a crash may cost.
		Checkpoint: CheckpointConfig{
			EveryMinutes:    10,
			Keep:            3,
			Background:      true,
			PatienceMinutes: 10,
		},
	}
}
