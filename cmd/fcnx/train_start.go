package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/control"
	"github.com/fcnx/fcnx/train/event"
)

// trainStart is the state that a run, or a stage of it, begins with.
type trainStart struct {
	stage      *stage
	resumed    bool // goes on with what another process has left, or goes back to it
	progress   train.Progress
	values     train.Values // nil: everything starts fresh
	notes      []string     // for the events
	table      string       // for the log: what became of every tensor of model.init
	checkpoint *checkpoints.Checkpoint
}

// start finds the state: the newest good checkpoint of a resumed run, or the
// weights that model.init names, or nothing.
func (p *trainPlan) start(ctx context.Context, data *trainData, all stages, backend *device.Backend, warn func(string)) (*trainStart, error) {
	if p.resumed == nil {
		return p.fresh(ctx, all[0], warn)
	}

	// Nobody else may write while this process reads what it goes on from.
	var err error
	if p.listener, err = control.Listen(p.resumed.Dir, time.Now()); err != nil {
		return nil, err
	}
	if err := p.resumed.Lock(time.Now()); err != nil {
		return nil, runError(p.resumed.Dir, err)
	}
	c, err := p.resumed.Newest(warn)
	if errors.Is(err, checkpoints.ErrNoCheckpoint) {
		s, err := p.fresh(ctx, all[0], warn)
		if err != nil {
			return nil, err
		}
		s.notes = append(s.notes, "nothing was saved yet: the run begins anew")
		return s, nil
	}
	if err != nil {
		return nil, dataError(err)
	}
	p.compare(c.Meta, backend, warn)
	if c.Meta.Dataset != data.digest && !p.allowed {
		return nil, errors.Join(dataError(fmt.Errorf(
			"the data is not what %s was saved with: samples were added, removed or changed; put it back, or say --allow-change", c.Name)), c.Close())
	}
	s, err := p.goOn(c, all)
	if err != nil {
		return nil, errors.Join(dataError(err), c.Close())
	}
	s.resumed = true
	return s, nil
}

// from is the state that a checkpoint holds, or where that is the end of a stage, which
// is then over, the beginning of the next one.
func (all stages) from(c *checkpoints.Checkpoint) (s *trainStart, over bool, err error) {
	stage, err := all.of(c.Meta)
	if err != nil {
		return nil, false, err
	}
	// Its hash may be right, and it may still be of another run.
	if err := fitsCheckpoint(c.Variables, stage.config.Network().Variables()); err != nil {
		return nil, false, err
	}
	s = &trainStart{stage: stage, progress: progressOf(c.Meta), values: checkpointValues(c), checkpoint: c, notes: stage.note()}
	if stage.over(s.progress) && !stage.last() {
		s, err = all.next(stage, c)
		return s, true, err
	}
	return s, false, nil
}

// goOn is from for another process, which may have been told of changes.
func (p *trainPlan) goOn(c *checkpoints.Checkpoint, all stages) (*trainStart, error) {
	s, over, err := all.from(c)
	if err != nil {
		return nil, err
	}
	for _, change := range p.changes {
		s.notes = append(s.notes, "changed at this point: "+change.String())
	}
	if !over {
		s.rescale(p.saysRate(s.stage.index))
	}
	return s, nil
}

// progressOf is how far a checkpoint is.
func progressOf(meta checkpoints.Meta) train.Progress {
	p := train.Progress{
		Step: meta.Step, Cursor: datasets.Cursor(meta.Cursor), Evaluated: meta.Evaluated,
		RateScale: meta.LRScale, Retries: meta.Retries,
	}
	if best := meta.Best; best != nil {
		p.BestIoU, p.BestStep = best.MeanIoU, best.Step
	}
	return p
}

// saysRate tells whether what is said now changes the learning rate of the i-th stage.
func (p *trainPlan) saysRate(i int) bool {
	own := len(p.config.Stage) > 0 && p.config.Stage[i].LR != nil
	return !own && slices.ContainsFunc(p.changes, func(c train.Change) bool { return c.Key == "train.lr" })
}

// rescale settles what is left of a learning rate that people had halved. It stays so
// until somebody says a rate: then they mean that one.
func (s *trainStart) rescale(said bool) {
	scale := s.progress.RateScale
	if scale == 0 || scale == 1 {
		return
	}
	if said {
		s.progress.RateScale = 0
		s.notes = append(s.notes, fmt.Sprintf("learning rate as train.lr says from here on, no longer times %.4g as was asked for before", scale))
		return
	}
	why := "as was asked for before"
	if s.progress.Retries > 0 {
		why = "as it was before"
	}
	s.notes = append(s.notes, fmt.Sprintf("learning rate %.4g times the schedule's, %s", scale, why))
}

// openInitial opens what model.init names, before the data: the run's [preprocess] may be
// that of the weights, and data is padded with its mean. A run that goes on needs it only
// where it has no checkpoint yet.
func (p *trainPlan) openInitial(ctx context.Context, warn func(string)) error {
	if p.config.Model.Init == "" || p.initial != nil {
		return nil
	}
	var err error
	p.initial, err = openInit(ctx, p.config.Stages()[0], warn)
	if err == nil {
		err = p.initial.settlePixels(&p.config, p.pixelsFree)
	}
	if err != nil {
		return dataError(fmt.Errorf("model.init: %w", err))
	}
	return nil
}

// fresh is the state before the first step.
func (p *trainPlan) fresh(ctx context.Context, first *stage, warn func(string)) (*trainStart, error) {
	s := &trainStart{stage: first, notes: first.note()}
	if err := p.openInitial(ctx, warn); err != nil || p.initial == nil {
		return s, err
	}
	shared, fresh, err := p.initial.takeOver(first.config)
	if err != nil {
		return nil, dataError(fmt.Errorf("model.init: %w", err))
	}
	var table strings.Builder
	printRows(&table, p.initial.rows(shared), fresh)
	s.values, s.table = onlyValues{p.initial.values, shared}, table.String()
	s.notes = slices.Concat(s.notes, []string{p.initial.summary(shared, fresh)}, p.initial.notes)
	return s, nil
}

// compare warns of what may make the numbers of a resumed run other than they would
// have been, and was not asked for.
func (p *trainPlan) compare(saved checkpoints.Meta, backend *device.Backend, warn func(string)) {
	if saved.Config != configDigest(p.stored) {
		warn("config.toml is not what the checkpoint was saved with")
	}
	if saved.Plugin.SHA256 != backend.SHA256 {
		warn(fmt.Sprintf("the checkpoint was computed on %s, and %s is another plugin: numbers may differ from here on",
			saved.Plugin.Name, backendName(backend)))
	}
	for module, version := range versions() {
		if was := saved.Versions[module]; was != version {
			warn(fmt.Sprintf("the checkpoint was computed with %s %s, and this is %s: numbers may differ from here on", module, was, version))
		}
	}
}

func (s *trainStart) close() {
	if s.checkpoint != nil {
		_ = s.checkpoint.Close()
	}
}

// tell says that the run, or a stage of it, begins, and from what. Loading for it
// began at begin.
func (s *trainStart) tell(run *trainRun, sinks *trainSinks, begin time.Time) {
	sinks.emit(s.record(run, begin, time.Now()))
	for _, note := range s.notes {
		sinks.note(s.progress.Step, event.LevelInfo, note)
	}
	fmt.Fprint(sinks.log, s.table)
}

// record is the first record of this process, or of a later stage.
func (s *trainStart) record(run *trainRun, begin, now time.Time) event.Started {
	c := s.stage.config
	var colors []string
	for _, class := range run.data.classes {
		colors = append(colors, fmt.Sprintf("#%02x%02x%02x", class.Color.R, class.Color.G, class.Color.B))
	}
	steps := run.stages.steps()
	record := event.Started{
		Head: event.Head{Time: now}, Run: filepath.Base(run.Dir), Version: version, PID: os.Getpid(),
		Model: c.Model.Arch, Encoder: c.Model.Encoder, Params: c.Network().Parameters(), Classes: classNames(run.data.classes), Colors: colors,
		Data: c.Data.Spec, Train: run.data.trainLen, Val: run.data.val.Samples(),
		Backend: run.backend.Kind, Plugin: run.backend.Version, Devices: c.Device.Devices,
		Seed: c.Run.Seed, Step: s.progress.Step, Steps: steps,
		Epochs: float64(steps) / float64(run.data.train.BatchesPerEpoch()), Batch: c.Train.Batch,
		Resumed: s.resumed, EvalEvery: run.data.evalEvery(c.Eval), SaveEvery: int64(c.Checkpoint.EverySteps),
		Warmup: int64(c.Train.Warmup), LoadSeconds: now.Sub(begin).Seconds(),
	}
	if st := s.stage; st.count > 1 {
		record.Stage, record.Stages, record.StageName = st.index+1, st.count, st.name
		record.StageFrom, record.StageTo = st.from, st.to
	}
	return record
}
