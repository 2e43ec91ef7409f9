package train

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gomlx/compute"
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
// recovers at its edge and returns an error. An Engine is for one goroutine, but for
// [Engine.CompileStepAhead], [Engine.CompileEval] and [Engine.Compiled], which may be called
// beside anything.
type Engine struct {
	backend compute.Backend
	net     models.Config
	pre     models.Preprocess
	cfg     TrainConfig
	seed    uint64
	now     func() time.Time
	resized bool // images in evaluation have another size than their labels

	winograd  bool
	precision string // of evaluation and prediction
	tidy      func() // after a compilation; nil: nothing

	store    *model.Store
	loader   *loader
	step     *model.Exec
	update   *model.Exec      // the end of a step that is accumulated; nil: it is one graph
	held     map[string]int64 // bytesOf the store, once both are compiled: CompileStepAhead may not read it beside steps
	eval     *model.Exec
	masks    *model.Exec
	logits   *model.Exec
	lent     *lent       // the variables of eval, masks and logits
	ahead    *stepsAhead // steps for other shapes of batch than those of step
	compiled *compilations
	busy     *sync.RWMutex // read-locked while it compiles
	beside   *beside       // while the first step is compiled; else nil
	staged   staged        // the batch that Stage has given out
	debug    *debugger     // nil: nobody asks where NaN begins
	mesh     *mesh         // nil: a single device computes
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

// NewEngine makes an engine on an open backend. Nothing is compiled yet, and nothing
// is on the device.
func NewEngine(backend compute.Backend, cfg EngineConfig) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	e := &Engine{
		backend: backend, net: cfg.Net, pre: cfg.Preprocess, cfg: cfg.Train, seed: cfg.Seed, now: cfg.Now,
		resized: cfg.Resized, winograd: cfg.Winograd, precision: cfg.Precision, tidy: cfg.Compiled, compiled: newCompilations(), busy: new(sync.RWMutex),
	}
	var err error
	if e.mesh, err = newMesh(backend, cfg.Devices); err != nil {
		return nil, err
	}
	e.store, e.loader = newStore(backend, cfg)
	e.lent = newLent(e.store, e.mesh)
	if cfg.Train.DebugNaN {
		e.debug = newDebugger(e.mesh)
	}
	if e.step, err = model.NewExec(backend, e.store, e.firstGraph()); err != nil {
		return nil, err
	}
	if err = e.accumulating(); err != nil {
		return nil, err
	}
	if e.eval, err = model.NewExec(backend, e.lent.store, e.evalGraph); err != nil {
		return nil, err
	}
	if e.masks, err = model.NewExec(backend, e.lent.store, e.maskGraph); err != nil {
		return nil, err
	}
	if e.logits, err = model.NewExec(backend, e.lent.store, e.logitGraph); err != nil {
		return nil, err
	}
	// The loader bounds the number of shapes; GoMLX's own limit would be a second.
	for _, exec := range []*model.Exec{e.step, e.eval, e.masks, e.logits} {
		exec.SetMaxCache(-1)
	}
	e.mesh.spread(e.step, stepSplit[:])
	for _, exec := range []*model.Exec{e.eval, e.masks, e.logits} {
		e.mesh.spread(exec, evalSplit[:])
	}
	e.ahead = newStepsAhead(*e)
	return e, nil
}

// Step updates the weights once, for the at-th time (from 0), at rate lr.
func (e *Engine) Step(b *datasets.Batch, at int64, lr float64) (result StepResult, err error) {
	defer recoverInto(&err, "training step")
	if err := e.debug.keep(); err != nil {
		return result, err
	}
	out, err := e.compute(b, at, lr)
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

// compute runs what a step consists of, and returns what stepGraph does.
func (e *Engine) compute(b *datasets.Batch, at int64, lr float64) ([]*tensors.Tensor, error) {
	if e.update != nil {
		return e.stepBy(b, at, lr)
	}
	in, err := e.trainInputs(&e.staged, b, at, 0, 1, lr)
	if err != nil {
		return nil, err
	}
	return e.runStep(b, in)
}

// Eval scores a batch: it adds the batch's counts to into. The masks that were
// scored leave the device only if they are asked for.
func (e *Engine) Eval(b *datasets.Batch, into *score.Confusion, masks bool) (result EvalResult, err error) {
	defer recoverInto(&err, "evaluation")
	in, err := e.evalInputs(b)
	if err != nil {
		return result, err
	}
	out, err := e.run(e.lent, e.eval, in)
	if err != nil {
		return result, fmt.Errorf("evaluation: %w", err)
	}
	defer finalize(out)
	result.Loss = float64(tensors.ToScalar[float32](out[0]))
	result.Weight = float64(tensors.ToScalar[float32](out[1]))
	bad := out[2].ConstFlatData(func(flat any) { err = into.AddCounts(flat.([]int64)) })
	if err = errors.Join(bad, err); err == nil && masks {
		result.Masks, err = tensors.CopyFlatData[uint8](out[3])
		result.Masks = unfill(e.mesh, b, result.Masks)
	}
	return result, err
}

// stepInputs are those of stepGraph; where several devices compute, the first one's and
// then the others'. Dropout of a step depends on nothing but the seed and the step.
func (e *Engine) stepInputs(b *datasets.Batch, at int64, lr float64) ([]*tensors.Tensor, error) {
	return e.trainInputs(nil, b, at, 0, 1, lr)
}

// trainInputs are stepInputs for the i-th of n equal parts of b, with any scalar in the
// place of the rate. What from has of them is taken; nil: all are made.
func (e *Engine) trainInputs(from *staged, b *datasets.Batch, at int64, i, n int, scalar float64) (in []*tensors.Tensor, err error) {
	parts, err := e.mesh.split(part(b, i, n))
	if err != nil {
		return nil, err
	}
	chance := rand.NewPCG(e.seed, uint64(at))
	for range i {
		chance.Uint64()
	}
	seed := int64(chance.Uint64() >> 1)
	for device, part := range parts {
		batch := from.take(b, i*len(parts)+device)
		if batch == nil {
			batch = batchInputs(part)
		}
		in = append(in, batch...)
		rng, err := graph.RNGStateFromSeed(seed)
		if err != nil {
			finalize(in)
			return nil, err
		}
		in = append(in, tensors.FromScalar(float32(scalar)), rng)
	}
	return in, nil
}

// evalInputs are those of evalGraph, ordered as stepInputs are.
func (e *Engine) evalInputs(b *datasets.Batch) (in []*tensors.Tensor, err error) {
	parts, err := e.mesh.split(e.mesh.fill(b))
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		in = append(append(in, batchInputs(part)...), tensors.FromFlatDataAndDimensions(part.LabelSizes, part.N, 2))
	}
	return in, nil
}
