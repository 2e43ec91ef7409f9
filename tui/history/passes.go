package history

import (
	"slices"

	"github.com/fcnx/fcnx/train/event"
)

// maxPasses is how many evaluations and saves tell how long the next may take.
const maxPasses = 8

// passes is what the evaluations and saves so far took, in seconds, and how far
// the one at hand is.
type passes struct {
	evals, saves []float64 // of the newest

	compiled     float64 // that the compilations for training took, in this process
	evalCompiled bool    // whether evaluations of this process need no compiler any more

	open        bool    // an evaluation is at hand, or what follows its record
	scoredSince bool    // its record is there
	spent       float64 // that it took so far, without the compiler
	compiling   float64 // that the compiler took for it
}

// newProcess keeps what passes took, unless they run on something else now; every
// process compiles again.
func (p *passes) newProcess(elsewhere bool) {
	fresh := passes{}
	if !elsewhere {
		fresh.evals, fresh.saves = p.evals, p.saves
	}
	*p = fresh
}

// enter tells of a phase, or with "" of the end of the process.
func (p *passes) enter(phase string) {
	switch phase {
	case event.PhaseEval:
		if !p.open {
			p.open, p.scoredSince, p.spent, p.compiling = true, false, 0, 0
		}
		p.evalCompiled = p.evalCompiled || p.compiling > 0
	case event.PhaseCompile:
	default:
		if p.open && p.scoredSince {
			p.evals[len(p.evals)-1] = p.spent // with what followed the record
		}
		p.open = false
	}
}

// spend tells that a phase took seconds more.
func (p *passes) spend(phase string, seconds float64) {
	switch {
	case phase == event.PhaseEval:
		p.spent += seconds
	case phase == event.PhaseCompile && p.open:
		p.compiling += seconds
	case phase == event.PhaseCompile:
		p.compiled += seconds
	}
}

// scored tells of an evaluation's record. Its own seconds count where no phase
// told when it began: they have the compiler's time in them.
func (p *passes) scored(seconds float64) {
	p.evalCompiled = true
	if p.open {
		p.scoredSince, seconds = true, p.spent
	}
	p.evals = newest(p.evals, plain(seconds))
}

func (p *passes) saved(held float64) { p.saves = newest(p.saves, plain(held)) }

func newest(list []float64, v float64) []float64 {
	list = append(list, v)
	if len(list) > maxPasses {
		list = slices.Delete(list, 0, 1)
	}
	return list
}
