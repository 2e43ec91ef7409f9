package history

import (
	"math"
	"slices"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// minSteps is how many steps of a process it takes to tell its pace: the first is
// often slow.
const minSteps = 3

// guess is a span in seconds.
type guess struct{ min, max float64 }

func (g guess) plus(o guess) guess       { return guess{g.min + o.min, g.max + o.max} }
func (g guess) times(n float64) guess    { return guess{g.min * n, g.max * n} }
func (g guess) after(took float64) guess { return guess{max(0, g.min-took), max(0, g.max-took)} }

// Left is how long the run will still take, counted from what it still has to do:
// steps, evaluations and checkpoints, each as long as those before, and the
// compilation for the first evaluation of this process. A range, because none of
// them is always as long. False before there is anything to tell it from, and
// where the run has ended before its last step.
func (r *Run) Left(now time.Time) (Span, bool) {
	if r.state == Done {
		return Span{}, true
	}
	if r.started == nil || r.started.Steps <= 0 || r.state.Over() || len(r.recent.ring) < minSteps {
		return Span{}, false
	}
	waited := r.clock.since(now)
	sum := r.stepsLeft(waited).plus(r.evalsLeft(waited)).plus(r.savesLeft(waited))
	return Span{duration(sum.min), duration(max(sum.min, sum.max))}, true
}

// stepsLeft counts what is left of the step at hand by the clock.
func (r *Run) stepsLeft(waited float64) guess {
	todo := float64(r.started.Steps) - float64(r.last.Step)
	if todo <= 0 {
		return guess{}
	}
	pace := r.pace()
	left := pace.times(todo - 1)
	if r.state == Training {
		return left.plus(pace.after(r.clock.here + waited))
	}
	return left.plus(pace)
}

// pace is what a step takes, the wait for its batch included: the middle half of
// the newest steps, and their mean where a few that are very slow have moved it
// out of that.
func (r *Run) pace() guess {
	steps := r.recent.newest(paceSteps)
	seconds := make([]float64, len(steps))
	mean := 0.0
	for i, t := range steps {
		seconds[i] = t.total() / 1000
		mean += seconds[i] / float64(len(steps))
	}
	return guess{min(mean, quantile(seconds, 0.25)), max(mean, quantile(seconds, 0.75))}
}

// evalsLeft is for the evaluation at hand, those to come, and the compiler.
func (r *Run) evalsLeft(waited float64) guess {
	p := &r.passes
	one := r.evalTakes()
	left := one.times(r.evalsBetween(r.last.Step, r.started.Steps))
	due := false
	switch {
	case p.open && !p.scoredSince:
		due = true
		took := p.spent
		if r.clock.phase == event.PhaseEval {
			took += waited
		}
		left = left.plus(one.after(took))
	case r.evalIsOwed():
		due = true
		left = left.plus(one)
	}
	if p.evalCompiled || !due && r.evalsBetween(r.last.Step, r.started.Steps) == 0 {
		return left
	}
	// A graph without gradients takes at most as long as one with them.
	compile := guess{p.compiled / 3, p.compiled}
	took := 0.0
	if p.open {
		took = p.compiling
		if r.clock.phase == event.PhaseCompile {
			took += waited
		}
	}
	return left.plus(compile.after(took))
}

// evalTakes is what an evaluation takes. Before the first one there is only the
// number of samples to tell it from, and that scoring has no way back.
func (r *Run) evalTakes() guess {
	if evals := r.passes.evals; len(evals) > 0 {
		return guess{slices.Min(evals), slices.Max(evals)}
	}
	batches := float64(r.started.Val) / float64(max(1, r.started.Batch))
	pace := r.pace()
	return guess{pace.min * 0.25, pace.max}.times(batches)
}

// evalsBetween counts the evaluations that follow steps in (from, to]: those of the
// rhythm, and that of the last step.
func (r *Run) evalsBetween(from, to int64) float64 {
	if r.started.Val <= 0 || from >= to {
		return 0
	}
	n := r.evalsBy(to) - r.evalsBy(from)
	if to == r.started.Steps && r.evalsBy(to) == r.evalsBy(to-1) {
		n++
	}
	return min(max(n, 0), float64(to)-float64(from))
}

// evalsBy counts those that the rhythm has until a step. The interval is a product
// of floats as a rule, and 0.07 epochs of 100 steps are a little more than 7.
func (r *Run) evalsBy(step int64) float64 {
	if every := r.started.EvalEvery; every > 0 && !math.IsInf(every, 0) {
		return math.Floor(float64(step)/every + 1e-9)
	}
	return 0
}

// evalIsOwed tells whether the newest step has an evaluation that has not begun.
func (r *Run) evalIsOwed() bool {
	evals := r.evals.list
	return r.last.Step > 0 && r.evalsBetween(r.last.Step-1, r.last.Step) > 0 &&
		(len(evals) == 0 || evals[len(evals)-1].Step < r.last.Step)
}

// savesLeft is for the checkpoint at hand and those to come: one with each
// evaluation, those of their own rhythm, and one at the end.
func (r *Run) savesLeft(waited float64) guess {
	one := r.saveTakes()
	left := one.times(r.savesBetween(r.last.Step, r.started.Steps))
	switch {
	case r.state == Saving && r.savedStep() < r.last.Step:
		return left.plus(one.after(r.clock.here + waited))
	case r.state != Saving && r.saveIsOwed():
		return left.plus(one)
	}
	return left
}

// saveTakes is what a checkpoint takes. Before the first there is only its size:
// weights and momentum, and a disk that writes between 0.1 and 2 GB a second.
func (r *Run) saveTakes() guess {
	if saves := r.passes.saves; len(saves) > 0 {
		return guess{slices.Min(saves), slices.Max(saves)}
	}
	bytes := 8 * max(0, float64(r.started.Params))
	return guess{bytes / 2e9, bytes / 1e8}
}

// savesBetween counts the checkpoints that follow steps in (from, to].
func (r *Run) savesBetween(from, to int64) float64 {
	if from >= to {
		return 0
	}
	n := r.evalsBetween(from, to)
	every := r.started.SaveEvery
	atEnd := to == r.started.Steps
	if every > 0 {
		n += float64(to/every - from/every - r.savesWithEvals(from, to))
		if atEnd && r.started.Val > 0 && to%every == 0 && r.evalsBy(to) == r.evalsBy(to-1) {
			n-- // the last evaluation is saved once
		}
		atEnd = atEnd && to%every != 0
	}
	if atEnd && r.started.Val <= 0 {
		n++
	}
	return min(max(n, 0), float64(to)-float64(from))
}

// savesWithEvals counts the steps in (from, to] in the rhythm of both, where the
// evaluations' is a whole number; where it is not, they meet by chance only.
func (r *Run) savesWithEvals(from, to int64) int64 {
	every := r.started.EvalEvery
	if r.started.Val <= 0 || !(every >= 1) || every > math.MaxInt32 || every != math.Trunc(every) || r.started.SaveEvery > math.MaxInt32 {
		return 0
	}
	a, b := int64(every), r.started.SaveEvery
	for b != 0 {
		a, b = b, a%b
	}
	both := int64(every) / a * r.started.SaveEvery
	return to/both - from/both
}

// saveIsOwed tells whether the newest step has a checkpoint that has not begun.
func (r *Run) saveIsOwed() bool {
	owed := r.last.Step > 0 && r.savesBetween(r.last.Step-1, r.last.Step) > 0 || r.passes.open
	return owed && r.savedStep() < r.last.Step
}

// savedStep is the step of the newest checkpoint.
func (r *Run) savedStep() int64 {
	if len(r.saved) == 0 {
		return 0
	}
	return r.saved[len(r.saved)-1].Step
}
