// Package history folds what a run says into what a screen can show: curves of
// bounded size that lose no spike, the evaluations, the time that each phase took,
// and how long the rest may take.
//
// It reads records and nothing else: no file, no clock, no terminal. Memory does
// not grow with the number of steps.
package history

import "time"

// State is what a run is doing, in one word.
type State string

// The states of a run.
const (
	Waiting    State = "waiting" // nothing was said yet
	Loading    State = "loading"
	Compiling  State = "compiling"
	Training   State = "training"
	Evaluating State = "evaluating"
	Saving     State = "saving"
	Done       State = "done"
	Stopped    State = "stopped"  // by a signal or a request, in good order
	Diverged   State = "diverged" // NaN or Inf
	Failed     State = "failed"
	Lost       State = "lost" // its process ended without a word: kill -9, power, memory
)

// Over tells whether the run's process has ended.
func (s State) Over() bool {
	switch s {
	case Done, Stopped, Diverged, Failed, Lost:
		return true
	}
	return false
}

// Eval is one evaluation, without what a screen does not need.
type Eval struct {
	Time                                        time.Time
	Step                                        int64
	Epoch, Loss                                 float64
	MeanIoU, PixelAccuracy, MeanAccuracy, FwIoU float64
	Class                                       []float64 // IoU by class, in label order; NaN where there is none
	Samples                                     int
	Seconds                                     float64
	Best                                        bool
}

// Line is a line of the log.
type Line struct {
	Time  time.Time
	Level string // event.LevelInfo, ...
	Text  string // one line, printable
}

// Column is what happened to a value in a range of steps.
type Column struct {
	N              int     // finite values; with 0 the others mean nothing
	Min, Max, Mean float64 // of the finite values
	Bad            int     // values that were NaN or infinite
}

// Span is a stretch of time between a shortest and a longest guess.
type Span struct{ Min, Max time.Duration }

// Split is where the time of a step goes, in milliseconds: medians of recent steps.
type Split struct {
	Data, Device, Read, Tell float64
	Total                    float64 // of all four
	ImagesPerSecond          float64
}

// PhaseTime is how long a run was in a phase so far, over all of its processes
// that this history has heard of.
type PhaseTime struct {
	Name    string // event.PhaseLoad, ...; "warm-up" for the steps of rising rate
	Seconds float64
}
