// Package train turns data and a network into weights: the configuration of a run
// ([Config]), the loop over its steps ([Loop]), and the engine that computes them
// ([Engine]).
//
// [Loop] is control flow and touches nothing; [Engine] is the one place where GoMLX
// runs and its panics become errors. The package knows nothing of files, terminals
// and plugins: whoever starts a run hands them in.
package train

// Config is a whole run: with the files it names and a seed, it decides every
// byte of the result. It is written to the run directory as config.toml, and a
// resumed run reads it back from there.
//
// Every key but those of stages can be given in TOML ([train] batch = 8), in the environment
// (FCNX_TRAIN_BATCH=8) and on the command line (--set train.batch=8), in rising
// order of precedence.
type Config struct {
	Run        RunConfig        `toml:"run"`
	Device     DeviceConfig     `toml:"device"`
	Data       DataConfig       `toml:"data"`
	Augment    AugmentConfig    `toml:"augment"`
	Model      ModelConfig      `toml:"model"`
	Preprocess PreprocessConfig `toml:"preprocess"`
	Train      TrainConfig      `toml:"train"`
	Eval       EvalConfig       `toml:"eval"`
	Checkpoint CheckpointConfig `toml:"checkpoint"`
	// Stage has the stages of a run that trains several networks one after the other;
	// see [Config.Stages]. They are given in the file only.
	Stage []StageConfig `toml:"stage,omitempty"`
}

// RunConfig names the run and where it lives.
type RunConfig struct {
	Name string `toml:"name"` // the directory below out; empty: made from data and model
	Seed uint64 `toml:"seed"` // of weights, dropout, order and augmentation
	Out  string `toml:"out"`  // where run directories are made
	UI   string `toml:"ui"`   // auto | tui | plain | json | none

	TensorBoard bool   `toml:"tensorboard"`  // event files for TensorBoard in tb/ of the run directory
	MetricsAddr string `toml:"metrics_addr"` // host:port where Prometheus finds /metrics; empty: nowhere
	MetricsFile string `toml:"metrics_file"` // the same as a text file, for batch jobs; empty: none
}

// DeviceConfig chooses what computes.
type DeviceConfig struct {
	Backend string `toml:"backend"` // auto | cpu | cuda | go
	Devices int    `toml:"devices"` // how many of them share each batch
	// Winograd has 3x3 convolutions of many channels done by Winograd's algorithm on the CPU;
	// other backends have their own way.
	Winograd bool `toml:"winograd"`

	// What follows is for cuda alone.
	TF32           bool    `toml:"tf32"`            // products and convolutions of float32 may be in TensorFloat-32
	MemoryFraction float64 `toml:"memory_fraction"` // the most that XLA takes of each GPU's memory
	Preallocate    bool    `toml:"preallocate"`     // that memory is taken at the start
	Deterministic  bool    `toml:"deterministic"`   // the same bits in every run, more slowly
}

// DataConfig says what is learned from.
type DataConfig struct {
	Spec    string `toml:"spec"`     // kind:path?key=value of the training set
	ValSpec string `toml:"val_spec"` // empty: the val split of spec
	Workers int    `toml:"workers"`  // decoders in parallel; 0: one a core
	Cache   int    `toml:"cache"`    // MiB of decoded samples kept in memory, for each of both sets; 0: none
	Pack    string `toml:"pack"`     // directory of decoded samples, made where they are not there; empty: none
	Buckets int    `toml:"buckets"`  // at most so many shapes of batch

	MaxPixels  int     `toml:"max_pixels"`  // of the largest image that is decoded; a SPEC's own ?max_pixels= comes first
	BadSamples string  `toml:"bad_samples"` // fail | skip: what becomes of the run at a sample that cannot be used
	MaxSkipped float64 `toml:"max_skipped"` // of skip: the share of an epoch beyond which the run ends after all
}

// AugmentConfig changes training samples on their way in. Resize holds for
// evaluation and prediction too: it decides the size that the network sees.
type AugmentConfig struct {
	Resize string    `toml:"resize"` // "HxW" | "": keep each image's size
	Scale  []float64 `toml:"scale"`  // [lo, hi]: random zoom; needs crop
	Crop   string    `toml:"crop"`   // "HxW": random window, padded where the image ends
	Flip   bool      `toml:"flip"`   // left-right, one time in two
	Jitter float64   `toml:"jitter"` // brightness, contrast and saturation by up to this share
}

// ModelConfig is the network.
type ModelConfig struct {
	Arch     string  `toml:"arch"`     // fcn32s | fcn16s | fcn8s
	Encoder  string  `toml:"encoder"`  // vgg11 | vgg13 | vgg16 | vgg19, with _bn or without
	Width    int     `toml:"width"`    // channels of conv1; 64 in the paper
	Head     int     `toml:"head"`     // channels of fc6 and fc7; 4096 in the paper
	Classes  int     `toml:"classes"`  // 0: as many as the data has
	Upsample string  `toml:"upsample"` // learned | depthwise | bilinear
	Geometry string  `toml:"geometry"` // same | paper
	Dropout  float64 `toml:"dropout"`  // after fc6 and fc7
	AtOnce   bool    `toml:"at_once"`  // scale pool4 by 0.01 and pool3 by 0.0001 (FCN-8s at once)
	Init     string  `toml:"init"`     // weights to start from: a file, a run, or hf:owner/repo/file
	// InitParts are the parts that are taken from there: encoder, or encoder and head;
	// empty: everything, which must fit.
	InitParts []string `toml:"init_parts"`
	// InitPreprocess says what the weights were trained with where their file does not:
	// torchvision | caffe | caffe-rgb | features; empty: what files of their kind were.
	InitPreprocess string `toml:"init_preprocess"`
	// InitOrder turns the input channels of conv1_1 to rgb or bgr; empty: as they are.
	InitOrder string `toml:"init_order"`
}

// PreprocessConfig turns a byte x into the network's input ((x * Scale) - Mean) / Std,
// channel by channel in Order.
type PreprocessConfig struct {
	Order string     `toml:"order"` // rgb | bgr
	Scale float64    `toml:"scale"`
	Mean  [3]float64 `toml:"mean"`
	Std   [3]float64 `toml:"std"`
}

// TrainConfig is the optimisation.
type TrainConfig struct {
	Steps      int     `toml:"steps"`  // one of steps and epochs
	Epochs     float64 `toml:"epochs"` // one of steps and epochs
	Batch      int     `toml:"batch"`
	Accumulate int     `toml:"accumulate"` // micro-batches that a batch is computed in, one after the other
	// Recompute keeps only what the stages of the encoder pool, and computes what lies
	// inside them again on the way back (activation checkpointing).
	Recompute    bool      `toml:"recompute"`
	Shuffle      bool      `toml:"shuffle"`
	Loss         string    `toml:"loss"`          // mean | sum over labelled pixels
	ClassWeights []float64 `toml:"class_weights"` // one a class; empty: all one
	// ClassBalance takes the class weights from the label frequencies of the
	// training set: "" | "median" (median frequency balancing) | "inverse".
	ClassBalance string  `toml:"class_balance"`
	Optimizer    string  `toml:"optimizer"` // sgd | adamw
	LR           float64 `toml:"lr"`
	Momentum     float64 `toml:"momentum"`
	Nesterov     bool    `toml:"nesterov"`
	WeightDecay  float64 `toml:"weight_decay"`
	BiasDecay    bool    `toml:"bias_decay"` // decay biases and batch norm too
	BiasLR       float64 `toml:"bias_lr"`    // rate of biases, as a multiple of lr; the paper's 2
	EncoderLR    float64 `toml:"encoder_lr"` // rate of conv1_1 to conv5_4, likewise
	HeadLR       float64 `toml:"head_lr"`    // rate of fc6, fc7 and the score layers, likewise
	// Freeze lists layers that do not learn, as patterns of layer names:
	// "conv1_*", "upscore*".
	Freeze []string `toml:"freeze"`
	// Rates are the rates of single layers by patterns of their names, as multiples
	// of lr, in place of EncoderLR and HeadLR: "conv[1-4]_*" = 0.1, "score_*" = 10.
	Rates      map[string]float64 `toml:"rates"`
	Schedule   string             `toml:"schedule"`    // constant | poly | cosine | step
	Power      float64            `toml:"power"`       // of poly
	Milestones []float64          `toml:"milestones"`  // of step: fractions of the run
	StepFactor float64            `toml:"step_factor"` // of step: the rate is multiplied by it at each
	Warmup     int                `toml:"warmup"`      // steps of linear rise from zero
	Clip       float64            `toml:"clip"`        // L2 norm of all gradients; 0: no clipping
	Precision  string             `toml:"precision"`   // of the training step: float32 | bfloat16
	// DebugNaN keeps the state before every step, so that a step which gives NaN or Inf
	// can tell where that began.
	DebugNaN bool    `toml:"debug_nan"`
	Retries  int     `toml:"retries"`  // how often a run that diverged goes back to its newest good checkpoint
	RetryLR  float64 `toml:"retry_lr"` // what the learning rate is multiplied by each time
}

// EvalConfig says how often and how the run is scored. With both zero it is
// scored after every epoch, and always at the end.
type EvalConfig struct {
	EverySteps  int     `toml:"every_steps"`
	EveryEpochs float64 `toml:"every_epochs"`
	Batch       int     `toml:"batch"`    // 0: as in training
	Previews    int     `toml:"previews"` // validation samples whose pictures are kept at each evaluation
}

// CheckpointConfig says how often the run is saved; it is saved after every
// evaluation in any case, and at the end.
type CheckpointConfig struct {
	EverySteps   int     `toml:"every_steps"`
	EveryMinutes float64 `toml:"every_minutes"`
	Keep         int     `toml:"keep"` // the last so many, and the best
	// Background writes while training goes on, from a copy in memory.
	Background bool `toml:"background"`
	// PatienceMinutes is how long checkpoints may fail before the run ends for it.
	PatienceMinutes float64 `toml:"patience_minutes"`
}
