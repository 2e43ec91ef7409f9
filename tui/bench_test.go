package tui

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui/feed"
)

// aMillion is a run of a million steps with 1000 evaluations of 21 classes.
func aMillion() *recording {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := &recording{name: "million", life: Running}
	started := event.Started{Head: event.Head{Time: now}, Run: "million", Steps: 2_000_000, Epochs: 100, Batch: 8, EvalEvery: 1000}
	for c := range 21 {
		started.Classes = append(started.Classes, fmt.Sprintf("class%d", c))
		started.Colors = append(started.Colors, fmt.Sprintf("#%02x%02x%02x", 10*c, 255-10*c, 128))
	}
	r.say(started)
	for step := int64(1); step <= 1_000_000; step++ {
		now = now.Add(150 * time.Millisecond)
		r.say(event.Step{Head: event.Head{Time: now}, Step: step, Epoch: float64(step) / 20000, LR: 0.01, StepMS: 150, Images: 8,
			Loss: event.Float(1/math.Sqrt(float64(step)) + 0.1*math.Sin(float64(step)))})
		if step%1000 == 0 {
			ious := map[string]*event.Float{}
			for c, name := range started.Classes {
				v := event.Float(float64(step) / 1e6 * float64(c) / 21)
				ious[name] = &v
			}
			r.say(event.Eval{Head: event.Head{Time: now}, Step: step, MeanIoU: event.Float(float64(step) / 2e6), Loss: 0.5, ClassIoU: ious, Seconds: 3})
		}
	}
	return r
}

// One frame after new records have come, which redraws every panel, on the largest
// of the golden sizes; and what the run takes in memory.
func BenchmarkFrameOfAMillionSteps(b *testing.B) {
	r := aMillion()
	m := dashboard(b, r)
	r.records = nil
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		m.view++ // nothing is taken as it was drawn before
		m.Screen(200, 60)
	}
	b.ReportMetric(float64(before.HeapAlloc)/1e6, "MB-heap")
}

// What ten new steps a second cost: a tick that folds one in, and what it redraws.
func BenchmarkTick(b *testing.B) {
	r := camvid(b, atStep(912))
	now := r.now
	m := New(Options{Now: func() time.Time { return now }, Color: true}, r)
	if err := m.Load(); err != nil {
		b.Fatal(err)
	}
	m.Screen(200, 60)
	w, step := m.run(), m.run().history.Last()
	for b.Loop() {
		now = now.Add(refresh)
		step.Step++
		step.Time = now
		m.fold(chunkMsg{run: w, chunk: feed.Chunk{Records: []event.Record{step}, Now: now}})
		m.Update(tickMsg(now))
	}
}
