package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// stage is a part of a run with a network and a schedule of its own, which goes on
// from the weights of the part before. Most runs have one.
type stage struct {
	index, count int // from 0, of how many
	name         string
	config       train.Config // as of a run of this stage alone
	length       int64        // in steps
	from, to     int64        // the run's steps (from, to] are its own
	schedule     train.Schedule
	learning     []string // how it learns, in words
}

// stages are those of a run, in their order.
type stages []*stage

// stagesOf lays out the stages of a run on its data. All of them are checked: a run
// must not end in its third day for a layer that its last network does not have.
// fresh says that the first begins without weights of another network.
func stagesOf(config train.Config, data *trainData, fresh bool, warn func(string)) (stages, error) {
	configs := config.Stages()
	all := make(stages, len(configs))
	heard := stageWarnings{of: map[string][]string{}}
	for i, c := range configs {
		s := &stage{index: i, count: len(configs), name: config.StageName(i), config: c, length: data.stepsOf(c.Train)}
		err := s.engine(data, nil).Validate()
		if err == nil {
			s.schedule, err = train.NewSchedule(c.Train, int(s.length))
		}
		if err == nil {
			s.learning, err = describeLearning(c, data.train.PixelsPerBatch(), fresh && i == 0, func(text string) { heard.add(i, text) })
		}
		if err != nil && s.count > 1 {
			err = fmt.Errorf("%s: %w", s, err)
		}
		if err != nil {
			return nil, err
		}
		all[i] = s
	}
	heard.tell(len(all), warn)
	all.layOut(0, 0)
	return all, nil
}

// stageWarnings says once what stages are warned of alike, and of which stages it is.
type stageWarnings struct {
	texts []string            // in the order in which they were heard
	of    map[string][]string // the numbers of the stages
}

func (w *stageWarnings) add(i int, text string) {
	if w.of[text] == nil {
		w.texts = append(w.texts, text)
	}
	w.of[text] = append(w.of[text], strconv.Itoa(i+1))
}

func (w *stageWarnings) tell(count int, warn func(string)) {
	for _, text := range w.texts {
		if of := w.of[text]; len(of) < count {
			text = fmt.Sprintf("stage %s of %d: %s", strings.Join(of, " and "), count, text)
		}
		warn(text)
	}
}

// stepsOf is the length of a stage, or of a run that is one, on this data.
func (d *trainData) stepsOf(c train.TrainConfig) int64 {
	if c.Steps > 0 {
		return int64(c.Steps)
	}
	return max(1, int64(math.Ceil(c.Epochs*float64(d.train.BatchesPerEpoch())-1e-9))) // 0.07*100 is a little more than 7
}

// layOut tells the stages from the i-th on which steps are theirs, when that one
// begins after step from. Data that has changed moves the ends of stages in epochs.
func (all stages) layOut(i int, from int64) {
	for _, s := range all[i:] {
		s.from, s.to = from, from+s.length
		from = s.to
	}
}

// steps is the length of the run.
func (all stages) steps() int64 { return all[len(all)-1].to }

// of is the stage that a checkpoint is of.
func (all stages) of(meta checkpoints.Meta) (*stage, error) {
	i, err := stageIndex(meta, len(all))
	if err != nil {
		return nil, err
	}
	if meta.Stage != nil {
		all.layOut(i, meta.Stage.From)
	}
	return all[i], nil
}

// stageIndex is which of the count stages of a run a checkpoint is of, from 0.
func stageIndex(meta checkpoints.Meta, count int) (int, error) {
	switch {
	case meta.Stage == nil && count == 1:
		return 0, nil
	case meta.Stage == nil:
		return 0, fmt.Errorf("the checkpoint of step %d does not say of which stage it is, and config.toml has %d", meta.Step, count)
	case meta.Stage.Index > count:
		return 0, fmt.Errorf("the checkpoint of step %d is of stage %d, and config.toml has %d", meta.Step, meta.Stage.Index, count)
	}
	return meta.Stage.Index - 1, nil
}

func (s *stage) String() string { return fmt.Sprintf("stage %d of %d, %s", s.index+1, s.count, s.name) }

// last tells whether the run ends with it.
func (s *stage) last() bool { return s.index == s.count-1 }

// over tells whether nothing of it is left to do. One that was stopped between its
// last step and the evaluation of that still owes the latter.
func (s *stage) over(p train.Progress) bool { return p.Step >= s.to && p.Evaluated >= p.Step }

// rate is the learning rate of a step of the run, counted from 0.
func (s *stage) rate(step int) float64 { return s.schedule(step - int(s.from)) }

// engine is what computes it, from values.
func (s *stage) engine(data *trainData, values train.Values) train.EngineConfig {
	return train.EngineConfig{
		Net:        s.config.Network(),
		Preprocess: s.config.Preprocess.Models(),
		Train:      data.weighed(s.config.Train),
		Seed:       s.config.Run.Seed,
		Devices:    s.config.Device.Devices,
		Now:        time.Now,
		Values:     values,
		Resized:    s.config.Augment.Resize != "",
	}
}

// meta is what a checkpoint says of it; nil in a run of one.
func (s *stage) meta() *checkpoints.Stage {
	if s.count == 1 {
		return nil
	}
	return &checkpoints.Stage{Index: s.index + 1, Name: s.name, From: s.from}
}

// note says that it begins, or goes on, where it is not the only one, and how it learns.
func (s *stage) note() []string {
	if s.count == 1 {
		return s.learning
	}
	begins := fmt.Sprintf("%s: steps %d to %d, learning rate %.3g", s, s.from+1, s.to, s.config.Train.LR)
	return append([]string{begins}, s.learning...)
}

// next is the start of the stage after s: from the checkpoint that s ended with,
// which was written a moment ago, or by a process before. So it makes no difference
// whether a run was stopped between two stages, and no weights have to be kept while
// one engine makes room for the other.
func (all stages) next(s *stage, c *checkpoints.Checkpoint) (*trainStart, error) {
	next := all[s.index+1]
	all.layOut(next.index, c.Meta.Step)
	shared, fresh, err := models.TakeOver(s.config.Network(), next.config.Network())
	if err != nil {
		return nil, err
	}
	start := &trainStart{
		stage: next, progress: progressOf(c.Meta), notes: next.note(),
		values: onlyValues{checkpointValues(c), shared}, checkpoint: c,
	}
	start.notes = append(start.notes, tookOver(c.Name, shared, fresh))
	if scale := start.progress.RateScale; scale != 0 && scale != 1 {
		start.notes = append(start.notes, fmt.Sprintf("learning rate of this stage's own again, no longer times %.4g as was asked for before", scale))
	}
	start.progress.RateScale = 0
	return start, nil
}

// nextStage goes on from before, which ended with the checkpoint of step, and says so.
// Where it cannot, it is before that is still there to be closed.
func (r *trainRun) nextStage(before *trainStart, step int64, sinks *trainSinks) (*trainStart, error) {
	begin := time.Now()
	c, err := r.At(step)
	if err != nil {
		return before, dataError(err)
	}
	start, err := r.stages.next(before.stage, c)
	if err != nil {
		return before, errors.Join(err, c.Close())
	}
	before.close()
	start.tell(r, sinks, begin)
	return start, nil
}

// at says in parentheses of which stage a step is; nothing in a run of one.
func (all stages) at(step int64) string {
	for _, s := range all {
		if s.count > 1 && s.from < step && step <= s.to {
			return fmt.Sprintf(" (%s)", s)
		}
	}
	return ""
}

// atStage is the configuration of the stage that a checkpoint of the run is of.
func atStage(config train.Config, meta checkpoints.Meta) (train.Config, error) {
	configs := config.Stages()
	i, err := stageIndex(meta, len(configs))
	if err != nil {
		return config, err
	}
	return configs[i], nil
}
