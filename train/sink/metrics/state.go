package metrics

import (
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// state is the last record of each kind, and what adds up. Records are not changed
// by anyone, so a copy of it is a snapshot.
type state struct {
	said bool // anything at all
	last time.Time

	started  *event.Started
	began    time.Time // of the first of them: a run of several stages says more
	phase    *event.Phase
	step     *event.Step
	eval     *event.Eval
	best     best
	saved    *event.Saved
	system   *event.System
	finished *event.Finished

	// Of this process, in seconds where it is a time.
	steps, images, skipped int64
	stepSeconds, dataWaits float64
}

// best is the highest mean IoU that the process knows of. One that was reached
// before the run was resumed is known again when it ends.
type best struct {
	known   bool
	meanIoU float64
	step    int64
}

func (s *state) take(r event.Record) {
	s.said = true
	// Records of the machine come from beside the run, also while it hangs.
	if r.EventKind() != event.KindSystem {
		s.last = r.At()
	}
	switch r := r.(type) {
	case event.Started:
		if s.started == nil {
			s.began = r.Time
		}
		s.started = &r
	case event.Phase:
		s.phase = &r
	case event.Step:
		s.step = &r
		s.steps++
		s.images += int64(r.Images)
		s.skipped += int64(r.Skipped)
		s.stepSeconds += r.StepMS / 1000
		s.dataWaits += r.DataMS / 1000
	case event.Eval:
		s.eval = &r
		s.skipped += int64(r.Skipped)
		if r.Best {
			s.best = best{true, float64(r.MeanIoU), r.Step}
		}
	case event.Saved:
		s.saved = &r
	case event.System:
		s.system = &r
	case event.Finished:
		s.finished = &r
		if r.BestIoU != nil {
			s.best = best{true, float64(*r.BestIoU), r.BestStep}
		}
	}
}
