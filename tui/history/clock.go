package history

import (
	"math"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// PhaseWarmup names the steps of rising rate in [PhaseTime].
const PhaseWarmup = "warm-up"

// phaseOrder is the order in which a run first enters its phases.
var phaseOrder = [...]string{event.PhaseLoad, event.PhaseCompile, PhaseWarmup, event.PhaseTrain, event.PhaseEval, event.PhaseSave}

// clock adds up the time that the run's processes ran, by phase. It counts from
// record to record, so that a clock that is set back costs nothing but the moment,
// and a process that was killed ends with the last it said.
type clock struct {
	running bool
	last    time.Time // of the newest record
	phase   string
	spent   [len(phaseOrder)]float64 // seconds
	here    float64                  // seconds since the newest step or phase
}

// tick lets the time go on to a record.
func (r *Run) tick(rec event.Record) {
	at := rec.At()
	if at.IsZero() {
		return
	}
	_, starts := rec.(event.Started)
	switch {
	case starts && r.started != nil: // the time since the process before is nobody's
	case r.clock.running:
		seconds := r.clock.since(at)
		r.clock.spent[r.phaseIndex()] += seconds
		r.clock.here += seconds
		r.passes.spend(r.clock.phase, seconds)
	case r.started == nil && !r.state.Over():
		r.clock.running, r.clock.phase = true, event.PhaseLoad
	}
	r.clock.last = at
}

// phaseIndex is the place of the phase at hand in phaseOrder.
func (r *Run) phaseIndex() int {
	for i, name := range phaseOrder {
		if name == r.phaseNow() {
			return i
		}
	}
	return 0
}

// phaseNow is the phase at hand as [PhaseTime] names it.
func (r *Run) phaseNow() string {
	if r.clock.phase == event.PhaseTrain && r.started != nil && r.last.Step-r.started.StageFrom < r.started.Warmup {
		return PhaseWarmup
	}
	return r.clock.phase
}

// since is the time from the newest record on, in seconds; never negative.
func (c *clock) since(now time.Time) float64 {
	if c.last.IsZero() {
		return 0
	}
	return max(0, now.Sub(c.last).Seconds())
}

// load begins a process, which took seconds to get to its first record. Where the
// first one told of that before, only the rest is new.
func (c *clock) load(seconds float64, first bool) {
	if first && c.running {
		seconds -= c.spent[0]
	}
	if seconds > 0 && !math.IsInf(seconds, 0) {
		c.spent[0] += seconds
	}
	c.running, c.here = true, 0
	c.phase = event.PhaseLoad
}

func (c *clock) enter(phase string) { c.phase, c.here = phase, 0 }
func (c *clock) step()              { c.here = 0 }
func (c *clock) end()               { c.running, c.here = false, 0 }

// Elapsed is the time that the run's processes ran until now, without the pauses
// between them.
func (r *Run) Elapsed(now time.Time) time.Duration {
	seconds := 0.0
	for _, phase := range r.Phases(now) {
		seconds += phase.Seconds
	}
	return duration(seconds)
}

// Phases are the phases that took time so far, in the order of a run. Where the
// run's process goes on, the one at hand counts until now.
func (r *Run) Phases(now time.Time) []PhaseTime {
	spent := r.clock.spent
	if r.clock.running {
		spent[r.phaseIndex()] += r.clock.since(now)
	}
	var phases []PhaseTime
	for i, seconds := range spent {
		if seconds > 0 {
			phases = append(phases, PhaseTime{phaseOrder[i], seconds})
		}
	}
	return phases
}

// Current is the name in Phases of the phase at hand; empty when no process runs.
func (r *Run) Current() string {
	if !r.clock.running {
		return ""
	}
	return r.phaseNow()
}

// duration of some seconds, as long as a Duration can be.
func duration(seconds float64) time.Duration {
	switch ns := seconds * float64(time.Second); {
	case !(ns > 0): // NaN too
		return 0
	case ns >= math.MaxInt64:
		return math.MaxInt64
	default:
		return time.Duration(ns)
	}
}
