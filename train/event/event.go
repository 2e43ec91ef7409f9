// Package event defines what a run says while it goes on: one [Record] a line in
// events.jsonl, the same on `--ui json`, and the only thing a dashboard reads.
//
// Only [Step] and [System] may be dropped on the way to a slow reader. It is told how
// many steps that were; of the machine it gets the newest. The package imports the standard library and nothing else.
package event

import "time"

// Kind is the value of a record's "kind".
type Kind string

// The kinds of record, in the order in which a run first says them.
const (
	KindStarted  Kind = "started"
	KindPhase    Kind = "phase"
	KindCompiled Kind = "compiled"
	KindStep     Kind = "step"
	KindEval     Kind = "eval"
	KindSaved    Kind = "saved"
	KindNote     Kind = "note"
	KindSystem   Kind = "system"
	KindPreview  Kind = "preview"
	KindAction   Kind = "action"
	KindFinished Kind = "finished"
)

// Record is one of the structs of this package.
type Record interface {
	// EventKind tells which.
	EventKind() Kind
	// At is the moment the record was made.
	At() time.Time
}

// Head begins every record. Sinks write it first; "kind" is written by Marshal,
// from the record's type.
type Head struct {
	Time time.Time `json:"time"`
}

// At implements [Record].
func (h Head) At() time.Time { return h.Time }

// Started is said once a process, when a run begins and when it is resumed, and again
// by a run of several stages when it comes to the next one: what it says of the
// network, the rhythm and the warm-up is that stage's from there on. A run that diverged
// and goes back says it too, with Resumed and the step of the checkpoint.
type Started struct {
	Head
	Run     string   `json:"run"`     // the run's name
	Version string   `json:"version"` // fcnx's own
	PID     int      `json:"pid"`
	Model   string   `json:"model"`   // "fcn8s"
	Encoder string   `json:"encoder"` // "vgg16_bn"
	Params  int64    `json:"params"`  // trainable and frozen weights of the network
	Classes []string `json:"classes"`
	// Colors are the data set's own, one a class, as in "#faaa1e".
	Colors  []string `json:"colors,omitempty"`
	Data    string   `json:"data"` // the training SPEC
	Train   int      `json:"train_samples"`
	Val     int      `json:"val_samples"`
	Backend string   `json:"backend"` // "cpu", "cuda", "go"
	Plugin  string   `json:"plugin"`  // what answered: name and version
	Devices int      `json:"devices"`
	Seed    uint64   `json:"seed"`
	Step    int64    `json:"step"`  // steps already done: 0 unless resumed, or in a later stage
	Steps   int64    `json:"steps"` // steps the run will have when it ends
	Epochs  float64  `json:"epochs"`
	Batch   int      `json:"batch"`
	Resumed bool     `json:"resumed"` // goes on with what another process has left, or back to what this one has
	// What a reader needs to tell how long the rest will take: steps between
	// evaluations (0: only one, at the end) and between checkpoints besides those of
	// evaluations (0: none), and steps of rising rate at the beginning of the stage.
	EvalEvery float64 `json:"eval_every,omitempty"`
	SaveEvery int64   `json:"save_every,omitempty"`
	Warmup    int64   `json:"warmup,omitempty"`
	// LoadSeconds is what opening data, plugin and weights took before this record; in a
	// later stage, what was done since the one before.
	LoadSeconds float64 `json:"load_seconds,omitempty"`
	// Where in a run of several stages this is: the stage, from 1, of how many, what it
	// is called, and the run's steps (StageFrom, StageTo] that are its own. All zero in a
	// run of one.
	Stage     int    `json:"stage,omitempty"`
	Stages    int    `json:"stages,omitempty"`
	StageName string `json:"stage_name,omitempty"`
	StageFrom int64  `json:"stage_from,omitempty"`
	StageTo   int64  `json:"stage_to,omitempty"`
}

// The phases of a run.
const (
	PhaseLoad    = "load"    // opening data, plugin and weights; fcnx itself says Started.LoadSeconds instead
	PhaseCompile = "compile" // XLA compiles a step for one shape of batch
	PhaseTrain   = "train"
	PhaseEval    = "eval"
	PhaseSave    = "save"
)

// Phase says what the run does from now on, until the next Phase.
type Phase struct {
	Head
	Name   string `json:"name"`
	Step   int64  `json:"step"`
	Detail string `json:"detail,omitempty"` // "training step 8x192x256", say
}

// Compiled is one graph that was compiled: an entry in the run's ledger of compilations.
type Compiled struct {
	Head
	Step int64 `json:"step"`
	// What is "training step 8x192x256", as the detail of the [Phase] before it.
	What    string  `json:"what"`
	Seconds float64 `json:"seconds"` // building the graph and compiling it
	// Background says that training went on meanwhile.
	Background bool `json:"background,omitempty"`
	// Memory is nil where the backend does not tell.
	Memory *CompiledMemory `json:"memory,omitempty"`
}

// CompiledMemory is what a compiled graph takes on its device, in bytes, by XLA's account.
type CompiledMemory struct {
	// Arguments are the batch, the weights and the optimiser's slots.
	Arguments int64 `json:"arguments"`
	// Outputs are what comes out, new weights among it.
	Outputs int64 `json:"outputs"`
	// Aliased is the part of the outputs that is written over arguments.
	Aliased int64 `json:"aliased"`
	// Temporaries are what the graph keeps while it runs: activations above all.
	Temporaries int64 `json:"temporaries"`
	// Code is the program; on the CPU XLA counts it as nothing.
	Code int64 `json:"code"`
}

// Needed is what has to be free on the device to run the graph: all of it, but what
// is aliased only once. XLA's allocator may take more.
func (m CompiledMemory) Needed() int64 {
	return m.Arguments + m.Outputs - m.Aliased + m.Temporaries + m.Code
}

// Step is one update of the weights.
type Step struct {
	Head
	Step  int64   `json:"step"`  // counts from 1
	Epoch float64 `json:"epoch"` // samples drawn over samples in an epoch
	Loss  Float   `json:"loss"`
	LR    float64 `json:"lr"`
	// DataMS is the wait for the batch, StepMS the step itself from hand-over to
	// the loss being on the host. Both in milliseconds.
	DataMS float64 `json:"data_ms"`
	StepMS float64 `json:"step_ms"`
	// ReadMS is the part of StepMS that is not the device's: reading the loss back.
	// TellMS is what telling of the step before took: the cost of being watched. The
	// first step of a process has none.
	ReadMS float64 `json:"read_ms,omitempty"`
	TellMS float64 `json:"tell_ms,omitempty"`
	Images int     `json:"images"` // in this step's batch, without those skipped
	// Skipped counts the samples of the batch that could not be used; blank images
	// took their places.
	Skipped int `json:"skipped,omitempty"`
	// GradNorm is the L2 norm of all gradients before clipping; absent unless
	// gradients are clipped.
	GradNorm *Float `json:"grad_norm,omitempty"`
}

// Eval is one pass over the validation set. Its measures are fractions of one;
// they come from one confusion matrix over the whole set.
type Eval struct {
	Head
	Step          int64             `json:"step"`
	Epoch         float64           `json:"epoch"`
	Samples       int               `json:"samples"`
	Skipped       int               `json:"skipped,omitempty"` // that could not be used, and are not scored
	PixelAccuracy Float             `json:"pixel_accuracy"`
	MeanAccuracy  Float             `json:"mean_accuracy"`
	MeanIoU       Float             `json:"mean_iou"`
	FwIoU         Float             `json:"fw_iou"`
	Loss          Float             `json:"loss"`
	ClassIoU      map[string]*Float `json:"class_iou"` // null: absent from labels and predictions
	Seconds       float64           `json:"seconds"`
	Best          bool              `json:"best"` // the highest mean IoU so far
}

// Saved says that a checkpoint is safely on disk.
type Saved struct {
	Head
	Step    int64   `json:"step"`
	Path    string  `json:"path"` // below the run directory
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // until it was on disk
	// HeldSeconds is how long training stood still for it.
	HeldSeconds float64 `json:"held_seconds"`
	Best        bool    `json:"best"`
}

// The levels of a Note.
const (
	LevelInfo    = "info"
	LevelWarning = "warning"
	LevelError   = "error"
)

// Note is a sentence for the person who runs this.
type Note struct {
	Head
	Step  int64  `json:"step"`
	Level string `json:"level"`
	Text  string `json:"text"`
}

// System is what the process uses of its machine, every few seconds.
type System struct {
	Head
	Step int64 `json:"step"`
	// CPUPercent is of one core: 196 is nearly two of them.
	CPUPercent float64 `json:"cpu_percent"`
	Cores      int     `json:"cores"`
	RSS        int64   `json:"rss_bytes"`         // of the process
	Memory     int64   `json:"memory_bytes"`      // of the machine
	Free       int64   `json:"memory_free_bytes"` // available to new processes
	Disk       int64   `json:"disk_free_bytes"`   // where the run directory is
	GPUs       []GPU   `json:"gpus,omitempty"`    // those that NVML knows
}

// GPU is one NVIDIA device, as NVML tells.
type GPU struct {
	Name        string  `json:"name"`
	Utilization float64 `json:"utilization_percent"`
	Used        int64   `json:"memory_used_bytes"`
	Memory      int64   `json:"memory_bytes"`
	Watts       float64 `json:"watts,omitempty"`
	Celsius     float64 `json:"celsius,omitempty"`
}

// Preview says what the network sees: a few validation samples, the same at each
// evaluation, as small PNG files below the run directory.
type Preview struct {
	Head
	Step   int64          `json:"step"`
	Images []PreviewImage `json:"images"`
}

// PreviewImage is one sample of a [Preview]. Each file holds two pictures of the
// same size side by side: the left half and the right half.
type PreviewImage struct {
	ID     string `json:"id"`     // of the sample
	Truth  string `json:"truth"`  // file with the image and its truth; the same at each evaluation
	Result string `json:"result"` // file with the prediction and its errors
	// Errors is the share of labelled pixels that are wrong, Boundary the share of
	// these that are at most 3 pixels from a border of the truth. Both at full size.
	Errors   float64 `json:"errors"`
	Boundary float64 `json:"boundary"`
	// Worst is the class with the lowest IoU in this image, of those in its truth.
	Worst string `json:"worst,omitempty"`
}

// The actions that a person can ask of a run while it goes on.
const (
	ActionSave     = "save"     // a checkpoint now
	ActionEvaluate = "evaluate" // an evaluation now
	ActionHalveLR  = "halve_lr" // half the learning rate from now on
	ActionStop     = "stop"     // finish the step, save, leave
)

// Action is something that a person asked for, at the moment when the run took it
// up, or could not do it after all.
type Action struct {
	Head
	Step int64  `json:"step"`
	Name string `json:"action"`
	By   string `json:"by"` // who asked: "watch, process 4711 on host"
	// Text says what came of it: "learning rate 0.5 times the schedule's from here
	// on". Absent when that goes without saying.
	Text string `json:"text,omitempty"`
}

// The reasons a run ends.
const (
	ReasonDone        = "done"
	ReasonInterrupted = "interrupted" // a signal, or a request to stop
	ReasonDiverged    = "diverged"    // NaN or Inf in the loss
	ReasonFailed      = "failed"
)

// Finished is the last record of a process, unless it was killed.
type Finished struct {
	Head
	Step     int64   `json:"step"`
	Reason   string  `json:"reason"`
	Error    string  `json:"error,omitempty"`
	ExitCode int     `json:"exit_code"`
	Seconds  float64 `json:"seconds"` // since the command began, loading included
	BestIoU  *Float  `json:"best_mean_iou,omitempty"`
	BestStep int64   `json:"best_step,omitempty"`
}

// EventKind implements [Record].
func (Started) EventKind() Kind { return KindStarted }

// EventKind implements [Record].
func (Phase) EventKind() Kind { return KindPhase }

// EventKind implements [Record].
func (Compiled) EventKind() Kind { return KindCompiled }

// EventKind implements [Record].
func (Step) EventKind() Kind { return KindStep }

// EventKind implements [Record].
func (Eval) EventKind() Kind { return KindEval }

// EventKind implements [Record].
func (Saved) EventKind() Kind { return KindSaved }

// EventKind implements [Record].
func (Note) EventKind() Kind { return KindNote }

// EventKind implements [Record].
func (System) EventKind() Kind { return KindSystem }

// EventKind implements [Record].
func (Preview) EventKind() Kind { return KindPreview }

// EventKind implements [Record].
func (Action) EventKind() Kind { return KindAction }

// EventKind implements [Record].
func (Finished) EventKind() Kind { return KindFinished }
