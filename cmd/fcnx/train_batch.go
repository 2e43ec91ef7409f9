package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event/wording"
)

// batchToFind is `--batch auto`: the batch of the run is the largest whose steps fit.
type batchToFind struct {
	limit int64 // bytes of `--batch auto:SIZE`; 0: what the machine has
}

// memoryShare of what is free on the machine is what a run may plan with. XLA's account
// leaves out what the convolutions of the CPU pack, decoded images, and the program itself.
const memoryShare = 0.7

// takeAutoBatch takes `--batch auto` out of what was said; nil where it is not there.
func takeAutoBatch(said *train.Sources) (*batchToFind, error) {
	i := slices.IndexFunc(said.Flags, func(f train.Flag) bool { return f.Key == "train.batch" })
	if i < 0 {
		return nil, nil
	}
	find, err := parseBatch(said.Flags[i].Value)
	if find == nil || err != nil {
		return nil, err
	}
	for _, set := range said.Sets {
		if key, _, _ := strings.Cut(set, "="); strings.TrimSpace(key) == "train.batch" {
			return nil, fmt.Errorf("--batch %s and --set %s say two things; give one of them", said.Flags[i].Value, set)
		}
	}
	said.Flags = slices.Delete(said.Flags, i, i+1)
	return find, nil
}

// parseBatch reads the value of --batch; nil where it is no "auto".
func parseBatch(text string) (*batchToFind, error) {
	size, found := strings.CutPrefix(text, "auto")
	if !found {
		return nil, nil
	}
	if size == "" {
		return &batchToFind{}, nil
	}
	number, said := strings.CutPrefix(size, ":")
	unit := 0.0
	for suffix, bytes := range map[string]float64{"MB": 1e6, "GB": 1e9} {
		if rest, ok := strings.CutSuffix(number, suffix); ok {
			number, unit = rest, bytes
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !said || !(n*unit >= 1 && n*unit < math.MaxInt64/2) {
		return nil, fmt.Errorf("--batch %s: a number, or auto, or auto:SIZE with the memory that may be used: auto:6GB, auto:500MB", text)
	}
	return &batchToFind{int64(n * unit)}, nil
}

// checkShared checks the value of a --batch, of which each device has as much in each micro-batch.
func checkShared(batch, smallest int) error {
	if batch%smallest != 0 {
		return fmt.Errorf("--batch %d: it is no multiple of %d, which is device.devices times train.accumulate", batch, smallest)
	}
	return nil
}

// findBatch puts the largest batch that fits into the run's configuration and its data,
// and tells why it is that one.
func (p *trainPlan) findBatch(ctx context.Context, data *trainData, backend *device.Backend, say func(string)) error {
	limit, of, err := p.find.available(backend)
	if err != nil {
		return usageError(err)
	}
	all, err := stagesOf(p.config, data, true, func(string) {})
	if err != nil {
		return usageError(err)
	}
	unit, err := p.config.SmallestBatch()
	if err != nil {
		return usageError(err)
	}
	samples := data.train.FullestBucket()
	fit, err := train.LargestBatch(unit, max(unit, min(samples, 1<<16)), limit, func(batch int) (most int64, err error) {
		for _, s := range all {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			say(fmt.Sprintf("compiling %s: what does a batch of %d need?", s.config.Model.Arch, batch))
			needed, err := s.memory(data, backend, batch)
			if err != nil {
				return 0, err
			}
			most = max(most, needed)
		}
		return most, nil
	})
	var none *train.NoBatchError
	switch {
	case errors.Is(err, train.ErrNoMemoryStats):
		return usageError(fmt.Errorf("--batch auto: the backend %s does not tell what a step needs; give a number", backend.Kind))
	case errors.As(err, &none):
		return usageError(fmt.Errorf("--batch auto: a batch of %d needs %s, and %s may be used, %s; smaller images (augment.crop, augment.resize) need less, a smaller network (model.width, model.head)%s too",
			none.Batch, wording.Bytes(none.Needed), wording.Bytes(none.Limit), of, recomputeAdvice(p.config.Train)))
	case err != nil:
		return fmt.Errorf("--batch auto: %w", err)
	}
	why := fmt.Sprintf("batch %d: it needs %s of the %s that may be used, %s", fit.Batch, wording.Bytes(fit.Needed), wording.Bytes(limit), of)
	if fit.Next > 0 {
		why += fmt.Sprintf("; %d would need %s", 2*fit.Batch, wording.Bytes(fit.Next))
	} else {
		why += fmt.Sprintf("; %d would be more than the %d samples", 2*fit.Batch, samples)
		if samples < data.trainLen {
			why += " of like size, of which batches are made"
		}
	}
	say(why)
	p.config.Train.Batch = fit.Batch
	return nil
}

func recomputeAdvice(c train.TrainConfig) string {
	if c.Recompute {
		return ""
	}
	return ", train.recompute = true"
}

// available is how many bytes a run may use, and of what they are a part.
func (f *batchToFind) available(backend *device.Backend) (limit int64, of string, err error) {
	if f.limit > 0 {
		return f.limit, "as was said", nil
	}
	if backend.Kind == device.CUDA {
		return 0, "", fmt.Errorf("--batch auto: the backend %s does not tell how much memory the card has free; say how much may be used, as in --batch auto:20GB", backend.Kind)
	}
	free := freeMemory()
	if free <= 0 {
		return 0, "", errors.New("--batch auto: the system does not tell how much memory is free; say how much may be used, as in --batch auto:6GB")
	}
	return int64(memoryShare * float64(free)), fmt.Sprintf("%.0f%% of what is free", 100*memoryShare), nil
}

// memory is what a stage needs for a batch, in bytes: the training step, or the
// evaluation where that is of more pixels at a time, beside what the step keeps between steps,
// and what is copied of weights and slots.
func (s *stage) memory(data *trainData, backend *device.Backend, batch int) (int64, error) {
	engine, err := newEngine(backend, s.config.Device, s.engine(data, nil))
	if err != nil {
		return 0, err
	}
	defer engine.Close()
	devices := s.config.Device.Devices
	step, eval := largestShape(data.train.Shapes()), largestShape(data.val.Shapes())
	ofStep, err := engine.StepMemory(batch/devices, step.H, step.W)
	if err != nil {
		return 0, err
	}
	most := ofStep.Needed()
	evalBatch := s.config.Eval.Batch
	if evalBatch == 0 {
		evalBatch = batch
	}
	if max(1, s.config.Train.Accumulate)*evalBatch*eval.H*eval.W > batch*step.H*step.W {
		ofEval, err := engine.EvalMemory((evalBatch+devices-1)/devices, eval.H, eval.W)
		if err != nil {
			return 0, err
		}
		most = max(most, ofEval.Needed()+max(0, ofStep.Arguments-ofEval.Arguments))
	}
	if backend.Kind == device.CUDA {
		return most, nil // of each card; copies are in the memory of the machine
	}
	return int64(devices)*most + s.copies(), nil
}

// copies is what is copied of all that a checkpoint has while steps go on, in bytes.
func (s *stage) copies() int64 {
	slots := int64(0)
	switch {
	case s.config.Train.Optimizer == "adamw":
		slots = 2
	case s.config.Train.Momentum > 0:
		slots = 1
	}
	state := 4 * s.config.Network().Parameters() * (1 + slots)
	n := int64(0)
	if s.config.Checkpoint.Background {
		n++
	}
	if s.config.Train.DebugNaN {
		n++
	}
	return n * state
}

func largestShape(shapes []datasets.BatchShape) (largest datasets.BatchShape) {
	for _, s := range shapes {
		if s.H*s.W > largest.H*largest.W {
			largest = s
		}
	}
	return largest
}

// openForBatch is openBackend for a run whose batch has yet to be found, and finds it.
func (p *trainPlan) openForBatch(ctx context.Context, data *trainData, warn, say func(string)) (*device.Backend, error) {
	backend, err := openBackend(ctx, p.config.Device, warn)
	if err != nil {
		return nil, backendError(err)
	}
	err = p.findBatch(ctx, data, backend, say)
	if err == nil {
		err = data.openLoaders(ctx, &p.config)
	}
	if err != nil {
		backend.Close()
		return nil, err
	}
	return backend, nil
}
