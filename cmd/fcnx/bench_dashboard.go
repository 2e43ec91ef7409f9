package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui"
	"github.com/fcnx/fcnx/tui/feed"
)

// The run that is drawn, and the screen that it is drawn on.
const (
	benchedSteps, benchedEvery  = 100_000, 1000 // steps, and between two evaluations
	benchedWidth, benchedHeight = 200, 60
	benchedFrame                = 250 * time.Millisecond // between two frames of a live run
)

// openDashboard adds a frame of the dashboard, every panel of it drawn anew.
func (b *bench) openDashboard(context.Context) error {
	run := newBenchedRun(b.plan.config.Model.Classes)
	model := tui.New(tui.Options{Now: func() time.Time { return run.now }, Color: true}, run)
	if err := model.Load(); err != nil {
		return err
	}
	b.cases = append(b.cases, &benchCase{
		part: partDashboard, name: fmt.Sprintf("dashboard frame %dx%d", benchedWidth, benchedHeight), unit: "frames", amount: 1,
		once: timed(func(context.Context) error {
			model.Update(tea.WindowSizeMsg{Width: benchedWidth, Height: benchedHeight})
			if model.View().Content == "" {
				return errors.New("the dashboard draws nothing")
			}
			return nil
		}),
	})
	return nil
}

// benchedRun is a long run that goes on, as a [tui.Source].
type benchedRun struct {
	records []event.Record
	now     time.Time
}

func newBenchedRun(classes int) *benchedRun {
	r := &benchedRun{now: time.Unix(0, 0).UTC()}
	started := event.Started{
		Head: event.Head{Time: r.now}, Run: "bench", Steps: 2 * benchedSteps, Epochs: 100, Batch: 8, EvalEvery: benchedEvery,
		Classes: classNames(numbered(classes)),
	}
	r.records = append(r.records, started)
	for step := int64(1); step <= benchedSteps; step++ {
		r.now = r.now.Add(100 * time.Millisecond)
		along := float64(step) / benchedSteps
		r.records = append(r.records, event.Step{
			Head: event.Head{Time: r.now}, Step: step, Epoch: 50 * along, LR: 0.01 * (1 - along/2), StepMS: 100, Images: 8,
			Loss: event.Float(1/math.Sqrt(float64(step)) + 0.1*math.Sin(float64(step))),
		})
		if step%benchedEvery == 0 {
			ious := map[string]*event.Float{}
			for i, name := range started.Classes {
				iou := event.Float(along * float64(i) / float64(classes))
				ious[name] = &iou
			}
			r.records = append(r.records, event.Eval{Head: event.Head{Time: r.now}, Step: step, MeanIoU: event.Float(along / 2), Loss: 0.5, ClassIoU: ious})
		}
	}
	return r
}

// Next implements [feed.Feed].
func (r *benchedRun) Next() (feed.Chunk, error) {
	c := feed.Chunk{Records: r.records, Now: r.now, Read: 1, Size: 1}
	r.records = nil
	return c, nil
}

// Close implements [feed.Feed].
func (r *benchedRun) Close() error { return nil }

// Name implements [tui.Source].
func (r *benchedRun) Name() string { return "bench" }

// Dir implements [tui.Source].
func (r *benchedRun) Dir() string { return "" }

// Replayed implements [tui.Source].
func (r *benchedRun) Replayed() bool { return false }

// Life implements [tui.Source].
func (r *benchedRun) Life() (tui.Life, error) { return tui.Running, nil }

// Ask implements [tui.Source].
func (r *benchedRun) Ask(string) error { return nil }

// Status implements [tui.Source].
func (r *benchedRun) Status() string { return "" }
