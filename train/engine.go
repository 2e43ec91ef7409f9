package train

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train/score"
)

// Engine is a network, its optimiser and the device they live on. It turns batches
// into steps and scores; when, and what happens in between, is the [Loop]'s.
//
// A graph is compiled for every shape of batch. Graph code may panic: each method
// recovers at its edge and returns an error. An Engine is for one goroutine.
type Engine struct {
	backend compute.Backend
	net     models.Config
	pre     models.Preprocess
	cfg     TrainConfig
	seed    uint64
	now     func() time.Time
	resized bool // images in evaluation have another size than their labels

	store    *model.Store
	loader   *loader
	step     *model.Exec
	eval     *model.Exec
	masks    *model.Exec
	logits   *model.Exec
	compiled map[string]bool
	busy     *sync.Mutex // held while it compiles
	debug    *debugger   // nil: nobody asks where NaN begins
}

// EngineConfig is what an Engine is made of.
type EngineConfig struct {
	Net        models.Config
	Preprocess models.Preprocess
	Train      TrainConfig
	Seed       uint64
	// Now is the clock by which a step tells what reading its loss took. It must not
	// be nil.
	Now func() time.Time
	// Values are taken over where they have a variable; what they do not have
	// starts fresh. nil: everything does.
	Values Values
	// Resized says that evaluation shows the network images of another size than
	// their labels: its logits are then brought to the labels' size.
	Resized bool
}

// StepResult is what one update of the weights tells.
type StepResult struct {
	Loss float64
	// GradNorm is the L2 norm of all gradients before clipping; NaN where gradients
	// are not clipped.
	GradNorm float64
	// Read is the end of the step in which the device had nothing to do any more:
	// the loss was on its way to the host.
	Read time.Duration
	// Spoilt says that a variable, a weight above all, holds NaN or Inf since this step.
	Spoilt bool
	// Where tells of a step that gave NaN or Inf where they began; empty where nobody
	// asked for it ([TrainConfig].DebugNaN).
	Where string
}

// EvalResult is what scoring one batch tells, besides its counts.
type EvalResult struct {
	Loss   float64 // summed over labelled pixels, weighed by class
	Weight float64 // the sum of these pixels' weights
	// Masks are as of [Engine.Masks]; nil where nobody asked for them.
	Masks []uint8
}

// Validate says what keeps an engine from being made, and takes no time: whoever
// makes engines one after the other learns at the beginning that the last one cannot be.
func (cfg EngineConfig) Validate() error {
	if cfg.Now == nil {
		return errors.New("an engine needs a clock: EngineConfig.Now")
	}
	if err := cfg.Net.Validate(); err != nil {
		return err
	}
	if err := cfg.Train.checkGroups(cfg.Net.Variables()); err != nil {
		return err
	}
	if n := len(cfg.Train.ClassWeights); n > 0 && n != cfg.Net.Classes {
		return fmt.Errorf("train.class_weights has %d numbers for %d classes", n, cfg.Net.Classes)
	}
	return nil
}

// NewEngine makes an engine on an open backend. Nothing is compiled yet, and nothing
// is on the device.
func NewEngine(backend compute.Backend, cfg EngineConfig) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	e := &Engine{
		backend: backend, net: cfg.Net, pre: cfg.Preprocess, cfg: cfg.Train, seed: cfg.Seed, now: cfg.Now,
		resized: cfg.Resized, compiled: map[string]bool{}, busy: new(sync.Mutex),
	}
	e.store, e.loader = newStore(backend, cfg.Net, cfg.Values, cfg.Seed)
	if cfg.Train.DebugNaN {
		e.debug = newDebugger()
	}
	var err error
	if e.step, err = model.NewExec(backend, e.store, e.stepGraph); err != nil {
		return nil, err
	}
	if e.eval, err = model.NewExec(backend, e.store, e.evalGraph); err != nil {
		return nil, err
	}
	if e.masks, err = model.NewExec(backend, e.store, e.maskGraph); err != nil {
		return nil, err
	}
	if e.logits, err = model.NewExec(backend, e.store, e.logitGraph); err != nil {
		return nil, err
	}
	// The loader bounds the number of shapes; GoMLX's own limit would be a second.
	for _, exec := range []*model.Exec{e.step, e.eval, e.masks, e.logits} {
		exec.SetMaxCache(-1)
	}
	return e, nil
}

// CompileStep gets ready for training steps on batches of b's shape, and
// CompileEval for scoring them. Where there is something to compile they first
// call before. It is an error if
// some of the values that the engine was given belong to nothing in the step.
func (e *Engine) CompileStep(b *datasets.Batch, before Before) error {
	err := e.compile(e.step, "training step", b, before, func() ([]*tensors.Tensor, error) { return e.stepInputs(b, 0, 0) })
	return errors.Join(err, e.checkValues(err))
}

// CompileEval is explained at [Engine.CompileStep].
func (e *Engine) CompileEval(b *datasets.Batch, before Before) error {
	return e.compile(e.eval, "evaluation", b, before, func() ([]*tensors.Tensor, error) { return e.evalInputs(b) })
}

func (e *Engine) compile(exec *model.Exec, kind string, b *datasets.Batch, before Before, inputs func() ([]*tensors.Tensor, error)) (err error) {
	what := fmt.Sprintf("%s %dx%dx%d", kind, b.N, b.H, b.W)
	if b.LabelH != b.H || b.LabelW != b.W {
		what += fmt.Sprintf(", labels %dx%d", b.LabelH, b.LabelW)
	}
	if e.compiled[what] {
		return nil
	}
	e.busy.Lock() // until nothing of the engine is in use any more, whoever waits for that
	defer e.busy.Unlock()
	if err := before.call(what); err != nil {
		return err
	}
	defer recoverInto(&err, "compiling the "+what)
	in, err := inputs()
	if err != nil {
		return err
	}
	defer finalize(in)
	dims := make([]shapes.Shape, len(in))
	for i, t := range in {
		dims[i] = t.Shape()
	}
	if _, err := exec.Compile(dims...); err != nil {
		return fmt.Errorf("compiling the %s: %w", what, err)
	}
	e.compiled[what] = true
	return nil
}

// Step updates the weights once, for the at-th time (from 0), at rate lr.
func (e *Engine) Step(b *datasets.Batch, at int64, lr float64) (result StepResult, err error) {
	defer recoverInto(&err, "training step")
	in, err := e.stepInputs(b, at, lr)
	if err != nil {
		return result, err
	}
	if err := e.debug.keep(); err != nil {
		finalize(in)
		return result, err
	}
	out, err := e.call(e.step, in)
	if err != nil {
		return result, fmt.Errorf("training step %d: %w", at+1, err)
	}
	defer finalize(out)
	// The call has waited for the device.
	computed := e.now()
	result = StepResult{Loss: float64(tensors.ToScalar[float32](out[0])), GradNorm: math.NaN()}
	result.Spoilt = !isFinite(float64(tensors.ToScalar[float32](out[1])))
	if len(out) > 2 {
		result.GradNorm = float64(tensors.ToScalar[float32](out[2]))
	}
	result.Read = e.now().Sub(computed)
	if e.debug != nil && (result.Spoilt || !isFinite(result.Loss)) {
		if result.Where, err = e.explain(b, at, lr); err != nil {
			result.Where = fmt.Sprintf("where it began could not be found: %v", err)
		}
	}
	return result, nil
}

// Eval scores a batch: it adds the batch's counts to into. The masks that were
// scored leave the device only if they are asked for.
func (e *Engine) Eval(b *datasets.Batch, into *score.Confusion, masks bool) (result EvalResult, err error) {
	defer recoverInto(&err, "evaluation")
	in, err := e.evalInputs(b)
	if err != nil {
		return result, err
	}
	out, err := e.call(e.eval, in)
	if err != nil {
		return result, fmt.Errorf("evaluation: %w", err)
	}
	defer finalize(out)
	result.Loss = float64(tensors.ToScalar[float32](out[0]))
	result.Weight = float64(tensors.ToScalar[float32](out[1]))
	bad := out[2].ConstFlatData(func(flat any) { err = into.AddCounts(flat.([]int64)) })
	if err = errors.Join(bad, err); err == nil && masks {
		result.Masks, err = tensors.CopyFlatData[uint8](out[3])
	}
	return result, err
}

// Masks returns the most likely class of every pixel of a batch, row-major
// [N,LabelH,LabelW], at the size of the labels (of which only the size counts).
func (e *Engine) Masks(b *datasets.Batch) ([]uint8, error) { return predict[uint8](e, e.masks, b) }

// Logits returns the scores of every pixel, row-major [N,Classes,LabelH,LabelW], at
// the size of the labels.
func (e *Engine) Logits(b *datasets.Batch) ([]float32, error) {
	return predict[float32](e, e.logits, b)
}

func predict[T uint8 | float32](e *Engine, exec *model.Exec, b *datasets.Batch) (flat []T, err error) {
	defer recoverInto(&err, "prediction")
	in, err := e.evalInputs(b)
	if err != nil {
		return nil, err
	}
	out, err := e.call(exec, in)
	if err != nil {
		return nil, fmt.Errorf("prediction: %w", err)
	}
	defer finalize(out)
	return tensors.CopyFlatData[T](out[0])
}

func (e *Engine) call(exec *model.Exec, in []*tensors.Tensor) ([]*tensors.Tensor, error) {
	defer finalize(in)
	args := make([]any, len(in))
	for i, t := range in {
		args[i] = t
	}
	return exec.Exec(args...)
}

func (e *Engine) stepInputs(b *datasets.Batch, at int64, lr float64) ([]*tensors.Tensor, error) {
	// Dropout of a step depends on nothing but the seed and the step.
	rng, err := graph.RNGStateFromSeed(int64(rand.NewPCG(e.seed, uint64(at)).Uint64() >> 1))
	if err != nil {
		return nil, err
	}
	return append(pixels(b),
		tensors.FromFlatDataAndDimensions(b.Labels, b.N, b.LabelH, b.LabelW),
		tensors.FromScalar(float32(lr)), rng), nil
}

func (e *Engine) evalInputs(b *datasets.Batch) ([]*tensors.Tensor, error) {
	return append(pixels(b),
		tensors.FromFlatDataAndDimensions(b.Labels, b.N, b.LabelH, b.LabelW),
		tensors.FromFlatDataAndDimensions(b.LabelSizes, b.N, 2)), nil
}

func pixels(b *datasets.Batch) []*tensors.Tensor {
	return []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(b.Images, b.N, b.H, b.W, 3),
		tensors.FromFlatDataAndDimensions(b.Sizes, b.N, 2),
	}
}

// Close gives the engine's memory back. It is false where the engine is still compiling,
// of which a [*CompilingError] told: then it keeps its memory, and needs its backend.
func (e *Engine) Close() bool {
	if !e.busy.TryLock() {
		return false
	}
	defer e.busy.Unlock()
	for _, exec := range []*model.Exec{e.step, e.eval, e.masks, e.logits} {
		exec.Finalize()
	}
	e.store.Finalize()
	return true
}

func finalize(ts []*tensors.Tensor) {
	for _, t := range ts {
		_ = t.FinalizeAll() // it can only fail by being gone already
	}
}

// recoverInto turns a panic of graph code into an error.
func recoverInto(err *error, doing string) {
	switch r := recover().(type) {
	case nil:
	case error:
		*err = errors.Join(*err, fmt.Errorf("%s: %w", doing, r))
	default:
		*err = errors.Join(*err, fmt.Errorf("%s: %v", doing, r))
	}
}
