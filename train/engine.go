package train

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
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
	resized bool // images in evaluation have another size than their labels

	store    *model.Store
	loader   *loader
	step     *model.Exec
	eval     *model.Exec
	compiled map[string]bool
}

// EngineConfig is what an Engine is made of.
type EngineConfig struct {
	Net        models.Config
	Preprocess models.Preprocess
	Train      TrainConfig
	Seed       uint64
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
}

// NewEngine makes an engine on an open backend. Nothing is compiled yet.
func NewEngine(backend compute.Backend, cfg EngineConfig) (*Engine, error) {
	if err := cfg.Net.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.Train.checkGroups(cfg.Net.Variables()); err != nil {
		return nil, err
	}
	if n := len(cfg.Train.ClassWeights); n > 0 && n != cfg.Net.Classes {
		return nil, fmt.Errorf("train.class_weights has %d numbers for %d classes", n, cfg.Net.Classes)
	}
	e := &Engine{
		backend: backend, net: cfg.Net, pre: cfg.Preprocess, cfg: cfg.Train, seed: cfg.Seed,
		resized: cfg.Resized, compiled: map[string]bool{},
	}
	e.store, e.loader = newStore(backend, cfg.Net, cfg.Values, cfg.Seed)
	var err error
	if e.step, err = model.NewExec(backend, e.store, e.stepGraph); err != nil {
		return nil, err
	}
	if e.eval, err = model.NewExec(backend, e.store, e.evalGraph); err != nil {
		return nil, err
	}
	// The loader bounds the number of shapes; GoMLX's own limit would be a second.
	e.step.SetMaxCache(-1)
	e.eval.SetMaxCache(-1)
	return e, nil
}

// stepGraph is one update: images to logits to loss to gradients to new weights.
// Its inputs are those of trainInputs; it returns the loss and, where gradients
// are clipped, their norm.
func (e *Engine) stepGraph(scope *model.Scope, in []*graph.Node) []*graph.Node {
	images, sizes, labels, lr, rng := in[0], in[1], in[2], in[3], in[4]
	logits := e.net.Logits(scope, models.Normalize(images, sizes, e.pre),
		models.Pass{Training: true, RNG: rng, Frozen: e.cfg.frozen})
	loss := e.loss(models.CrossEntropy(logits, labels, e.classWeights(images)))

	var learners []learner
	var values []*graph.Node
	for _, spec := range e.net.Variables() {
		v := e.store.GetVariable("/" + spec.Path())
		group := e.cfg.groupOf(spec)
		v.SetTrainable(!group.frozen)
		if !group.frozen {
			learners = append(learners, learner{variable: v, spec: spec, group: group})
			values = append(values, v.NodeValue(loss))
		}
	}
	for i, grad := range graph.Gradient(loss, values...) {
		learners[i].grad = grad
	}
	norm := update(e.store, e.cfg, learners, lr)
	for v := range e.store.IterVariables() {
		if v.ChangedInGraph(loss.Graph()) {
			donate(loss.Graph().GetParameterByName(v.Path()))
		}
	}
	if norm == nil {
		return []*graph.Node{loss}
	}
	return []*graph.Node{loss, norm}
}

// evalGraph scores one batch at its labels' own size: the summed loss, the summed
// weight, and the confusion counts.
func (e *Engine) evalGraph(scope *model.Scope, in []*graph.Node) []*graph.Node {
	images, sizes, labels, labelSizes := in[0], in[1], in[2], in[3]
	logits := e.net.Logits(scope, models.Normalize(images, sizes, e.pre), models.Pass{})
	if e.resized {
		logits = models.ResizeLogits(logits, sizes, labelSizes, labels.Shape().Dim(1), labels.Shape().Dim(2))
	}
	sum, weight := models.CrossEntropy(logits, labels, e.classWeights(images))
	return []*graph.Node{sum, weight, models.ConfusionCounts(logits, labels)}
}

// loss turns summed loss and weight into what is minimised.
func (e *Engine) loss(sum, weight *graph.Node) *graph.Node {
	if e.cfg.Loss == "sum" {
		return sum
	}
	// A batch without a single labelled pixel teaches nothing, and is no NaN.
	return graph.Div(sum, graph.Where(graph.GreaterThan(weight, graph.ZerosLike(weight)), weight, graph.OnesLike(weight)))
}

func (e *Engine) classWeights(g graph.GraphProvider) *graph.Node {
	if len(e.cfg.ClassWeights) == 0 {
		return nil
	}
	weights := make([]float32, len(e.cfg.ClassWeights))
	for i, w := range e.cfg.ClassWeights {
		weights[i] = float32(w)
	}
	return graph.Const(g.Graph(), weights)
}

// CompileStep gets ready for training steps on batches of b's shape, and
// CompileEval for scoring them. Where there is something to compile they first
// call before with what it is, as in "training step 8x192x256".
func (e *Engine) CompileStep(b *datasets.Batch, before func(what string)) error {
	return e.compile(e.step, "training step", b, before, func() ([]*tensors.Tensor, error) { return e.stepInputs(b, 0, 0) })
}

// CompileEval is explained at [Engine.CompileStep].
func (e *Engine) CompileEval(b *datasets.Batch, before func(what string)) error {
	return e.compile(e.eval, "evaluation", b, before, func() ([]*tensors.Tensor, error) { return e.evalInputs(b) })
}

func (e *Engine) compile(exec *model.Exec, kind string, b *datasets.Batch, before func(string), inputs func() ([]*tensors.Tensor, error)) (err error) {
	what := fmt.Sprintf("%s %dx%dx%d", kind, b.N, b.H, b.W)
	if b.LabelH != b.H || b.LabelW != b.W {
		what += fmt.Sprintf(", labels %dx%d", b.LabelH, b.LabelW)
	}
	if e.compiled[what] {
		return nil
	}
	before(what)
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
	out, err := e.call(e.step, in)
	if err != nil {
		return result, fmt.Errorf("training step %d: %w", at+1, err)
	}
	defer finalize(out)
	result = StepResult{Loss: float64(tensors.ToScalar[float32](out[0])), GradNorm: nan}
	if len(out) > 1 {
		result.GradNorm = float64(tensors.ToScalar[float32](out[1]))
	}
	return result, nil
}

// Eval scores a batch: it adds the batch's counts to into, and returns the loss
// summed over labelled pixels and the sum of these pixels' weights.
func (e *Engine) Eval(b *datasets.Batch, into *score.Confusion) (loss, weight float64, err error) {
	defer recoverInto(&err, "evaluation")
	in, err := e.evalInputs(b)
	if err != nil {
		return 0, 0, err
	}
	out, err := e.call(e.eval, in)
	if err != nil {
		return 0, 0, fmt.Errorf("evaluation: %w", err)
	}
	defer finalize(out)
	bad := out[2].ConstFlatData(func(flat any) { err = into.AddCounts(flat.([]int64)) })
	return float64(tensors.ToScalar[float32](out[0])), float64(tensors.ToScalar[float32](out[1])), errors.Join(bad, err)
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

// CheckValues is an error if some of the values that the engine was given have
// found no variable. It can say so once a training step was compiled.
func (e *Engine) CheckValues() error {
	if unused := e.loader.unused(); len(unused) > 0 {
		slices.Sort(unused)
		return fmt.Errorf("%d stored variables belong to no variable of this run, the first is %s", len(unused), unused[0])
	}
	return nil
}

// Variables lists everything that a resumed run needs to go on from here, sorted
// by path: the weights, running averages and the optimiser's slots.
func (e *Engine) Variables() []Variable {
	names := map[dtypes.DType]string{}
	for name, dtype := range storeDTypes {
		names[dtype] = name
	}
	var vars []Variable
	for v := range e.store.IterVariables() {
		vars = append(vars, Variable{strings.TrimPrefix(v.Path(), "/"), names[v.DType()], v.Shape().Dimensions})
	}
	slices.SortFunc(vars, func(a, b Variable) int { return strings.Compare(a.Path, b.Path) })
	return vars
}

// WriteVariable writes the bytes of one of them, little-endian and row-major, to
// w. It refuses NaN and Inf with a [*DivergedError]: such a state is of no use, and
// must not take the place of a good one.
func (e *Engine) WriteVariable(path string, w io.Writer) error {
	v := e.store.GetVariable("/" + path)
	if v == nil {
		return fmt.Errorf("there is no variable %s", path)
	}
	value, err := v.Value()
	if err != nil {
		return fmt.Errorf("variable %s: %w", path, err)
	}
	var written error
	err = value.ConstBytes(func(data []byte) {
		if v.DType() == dtypes.Float32 && !allFinite(data) {
			written = &DivergedError{What: path + " holds NaN or Inf"}
			return
		}
		_, written = w.Write(data)
	})
	if !value.IsShared() && value.IsOnAnyDevice() {
		value.FinalizeLocal() // the copy that was made to look at it
	}
	return errors.Join(err, written)
}

// allFinite looks for the exponent that float32 keeps for NaN and Inf.
func allFinite(float32s []byte) bool {
	for i := 0; i+4 <= len(float32s); i += 4 {
		if float32s[i+3]&0x7f == 0x7f && float32s[i+2]&0x80 != 0 {
			return false
		}
	}
	return true
}

// Close gives the engine's memory back.
func (e *Engine) Close() {
	e.step.Finalize()
	e.eval.Finalize()
	e.store.Finalize()
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
