package event

import "math"

// Waits adds up how long the steps of a run waited for their batches. The first step of a
// process is left out: nothing could be made ahead of it. It is not safe for concurrent use.
type Waits struct {
	data, step float64 // milliseconds
	begun      bool    // the process has had its first step
}

// Add takes in the next record of the run; it counts steps, and knows a process by its
// [Started].
func (w *Waits) Add(r Record) {
	switch r := r.(type) {
	case Started:
		w.begun = false
	case Step:
		if w.begun && isTime(r.DataMS) && isTime(r.StepMS) {
			w.data, w.step = w.data+r.DataMS, w.step+r.StepMS
		}
		w.begun = true
	}
}

// isTime keeps out what a file may say and no clock.
func isTime(ms float64) bool { return ms >= 0 && ms < math.MaxFloat32 }

// Share is the part of the steps' time that was spent waiting, as a fraction of one; false
// before there was any.
func (w *Waits) Share() (share float64, known bool) {
	if all := w.data + w.step; all > 0 {
		return w.data / all, true
	}
	return 0, false
}
