package history

import (
	"math"
	"time"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
)

// Run is what is known of a run. It is not safe for concurrent use.
type Run struct {
	state    State
	versions Versions

	started  *event.Started
	finished *event.Finished
	phase    event.Phase
	last     event.Step
	system   *event.System
	skipped  int64

	loss, rate, speed, gradNorm Series

	evals    evals
	saved    []event.Saved
	previews []event.Preview
	log      []Line

	compiled []event.Compiled
	waits    event.Waits

	clock  clock
	recent recent
	passes passes
}

// Versions count changes: where one of them is what it was, so is all that is made
// of that part alone.
type Versions struct {
	Steps    uint64 // Last, Split and the series
	Evals    uint64 // Evals and Best
	Log      uint64 // Log and Saved
	System   uint64
	Previews uint64
	Phase    uint64 // State, Started, Finished and Phase
}

// New returns the history of a run that has said nothing yet.
func New() *Run { return &Run{state: Waiting} }

// Add takes in the next record of the run, in the order of its file. It takes what
// comes, however odd.
func (r *Run) Add(rec event.Record) {
	if rec == nil {
		return
	}
	r.findAgain(rec)
	r.tick(rec)
	r.waits.Add(rec)
	switch rec := rec.(type) {
	case event.Started:
		r.start(rec)
	case event.Phase:
		r.enter(rec)
	case event.Compiled:
		r.compile(rec)
	case event.Step:
		r.step(rec)
	case event.Eval:
		r.eval(rec)
	case event.Saved:
		r.save(rec)
	case event.Note:
		r.say(rec.Time, noteLevel(rec.Level), wording.Note(rec))
	case event.System:
		r.system = &rec
		r.versions.System++
	case event.Preview:
		r.preview(rec)
	case event.Action:
		r.say(rec.Time, event.LevelInfo, wording.Action(rec))
	case event.Finished:
		r.finish(rec)
	}
}

// Lose says that the run's process has gone without a word: nobody holds its lock,
// and there is no Finished record. The next record that it says takes that back.
func (r *Run) Lose(at time.Time) {
	if r.state == Waiting || r.state.Over() {
		return
	}
	r.say(at, event.LevelError, wording.Lost)
	r.end(Lost)
}

// findAgain takes Lost back where the process goes on speaking: a lock on another
// host's disk may be free to our eyes and held all the same.
func (r *Run) findAgain(rec event.Record) {
	if r.state != Lost {
		return
	}
	switch rec.(type) {
	case event.Phase, event.Compiled, event.Step, event.Eval, event.Saved, event.System, event.Preview, event.Action:
		r.state = Training
		r.clock.running = true
		r.clock.enter(event.PhaseTrain)
		r.versions.Phase++
	}
}

// start begins a process. One that goes on from a checkpoint makes obsolete what
// the one before did after it.
func (r *Run) start(rec event.Started) {
	if rec.Resumed || rec.Step < r.last.Step {
		r.rewind(rec.Step, rec.Time)
	}
	r.newProcess(rec)
	r.started, r.finished, r.phase = &rec, nil, event.Phase{}
	r.state = Loading
	r.versions.Phase++
	r.say(rec.Time, event.LevelInfo, startedText(rec))
}

// newProcess forgets what was measured of the process before.
func (r *Run) newProcess(rec event.Started) {
	elsewhere := r.started != nil && (r.started.Backend != rec.Backend || r.started.Plugin != rec.Plugin || r.started.Devices != rec.Devices)
	if r.started == nil || r.started.PID != rec.PID {
		r.compiled = nil // another stage of the same process, or one that goes back, keeps it
	}
	r.clock.load(rec.LoadSeconds, r.started == nil)
	r.recent = recent{}
	r.passes.newProcess(elsewhere)
	r.versions.Steps++
}

// enter begins a phase. The phases of a process that has ended say nothing new.
func (r *Run) enter(rec event.Phase) {
	if r.state.Over() {
		return
	}
	r.phase = rec
	r.versions.Phase++
	state, known := map[string]State{
		event.PhaseLoad: Loading, event.PhaseCompile: Compiling, event.PhaseTrain: Training,
		event.PhaseEval: Evaluating, event.PhaseSave: Saving,
	}[rec.Name]
	if !known {
		return
	}
	r.state = state
	r.clock.enter(rec.Name)
	r.passes.enter(rec.Name)
	if rec.Name == event.PhaseCompile || rec.Name == event.PhaseLoad && rec.Detail != "" {
		r.say(rec.Time, event.LevelInfo, wording.Phase(rec))
	}
}

// step takes in an update of the weights. A step that comes again without a new
// process counts like one that was done again.
func (r *Run) step(rec event.Step) {
	if rec.Step <= r.last.Step && r.last.Step != 0 && rec.Step > math.MinInt64 {
		r.rewind(rec.Step-1, rec.Time)
	}
	r.last = rec
	r.skipped += int64(max(rec.Skipped, 0))
	r.loss.Add(rec.Step, float64(rec.Loss))
	r.rate.Add(rec.Step, rec.LR)
	if rec.GradNorm != nil {
		r.gradNorm.Add(rec.Step, float64(*rec.GradNorm))
	}
	timing := timingOf(rec)
	if total := timing.total(); total > 0 {
		r.speed.Add(rec.Step, 1000*float64(timing.images)/total)
	}
	r.recent.add(timing)
	r.clock.step()
	if !r.state.Over() && r.state != Training {
		r.state = Training
		r.clock.enter(event.PhaseTrain)
		r.passes.enter(event.PhaseTrain)
		r.versions.Phase++
	}
	r.versions.Steps++
}

// finish ends a process in its own words.
func (r *Run) finish(rec event.Finished) {
	r.finished = &rec
	state, known := map[string]State{
		event.ReasonDone: Done, event.ReasonInterrupted: Stopped, event.ReasonDiverged: Diverged, event.ReasonFailed: Failed,
	}[rec.Reason]
	switch {
	case known:
	case rec.ExitCode == 0:
		state = Done
	default:
		state = Failed
	}
	level := event.LevelInfo
	if state == Failed || state == Diverged {
		level = event.LevelError
	}
	r.say(rec.Time, level, wording.Finished(rec))
	r.end(state)
}

func (r *Run) end(state State) {
	r.state = state
	r.clock.end()
	r.passes.enter("")
	r.versions.Phase++
}

// rewind forgets all that came after a step. It lacks the record of that step
// itself where it is long ago: what is known of it is in the curves.
func (r *Run) rewind(after int64, at time.Time) {
	for _, s := range []*Series{&r.loss, &r.rate, &r.speed, &r.gradNorm} {
		s.Truncate(after)
	}
	if r.last.Step > after {
		old := r.last
		r.last = event.Step{Head: event.Head{Time: at}, Step: after, Loss: event.Float(r.loss.Last()), LR: r.rate.Last(), Images: old.Images}
		if after > 0 {
			r.last.Epoch = old.Epoch * float64(after) / float64(old.Step)
		} else {
			r.last = event.Step{}
		}
	}
	r.rewindPasses(after)
	r.versions.Steps++
	r.versions.Evals++
	r.versions.Log++
	r.versions.Previews++
}

// State is what the run is doing.
func (r *Run) State() State { return r.state }

// Versions tell what has changed since they were asked for before.
func (r *Run) Versions() Versions { return r.versions }

// Skipped counts the training samples that could not be used, each time that the run
// came to one, also in steps that were lost and done again.
func (r *Run) Skipped() int64 { return r.skipped }

// Started is how the newest process began; false before there is one.
func (r *Run) Started() (event.Started, bool) { return valueOf(r.started) }

// Finished is how the newest process ended, in its own words; false while it runs
// and where it was killed.
func (r *Run) Finished() (event.Finished, bool) { return valueOf(r.finished) }

// System is the newest of what was said about the machine.
func (r *Run) System() (event.System, bool) { return valueOf(r.system) }

// Phase is the newest phase record of the newest process; its name is empty before
// there is one.
func (r *Run) Phase() event.Phase { return r.phase }

// Last is the newest step; its Step is 0 before there is one. After the run went
// back to a checkpoint it is the checkpoint's step, without what is not known of it
// any more: its times are 0, its loss may be NaN.
func (r *Run) Last() event.Step { return r.last }

// Loss is the loss of the training batches by step.
func (r *Run) Loss() *Series { return &r.loss }

// Rate is the learning rate by step.
func (r *Run) Rate() *Series { return &r.rate }

// Speed is images a second by step.
func (r *Run) Speed() *Series { return &r.speed }

// GradNorm is the norm of the gradients by step; empty unless they are clipped.
func (r *Run) GradNorm() *Series { return &r.gradNorm }

func valueOf[T any](p *T) (T, bool) {
	if p == nil {
		var none T
		return none, false
	}
	return *p, true
}
