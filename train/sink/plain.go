package sink

import (
	"io"
	"sync"
	"time"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
)

// Plain writes lines for a person: one for the steps of each few seconds, one for
// everything else that is worth knowing. It writes no escape codes, so that its
// output is as good in a file as on a terminal.
type Plain struct {
	mu     sync.Mutex
	w      io.Writer
	every  time.Duration
	closed bool

	started  event.Started // of this process; its Steps say how far there is to go
	first    event.Step    // of this process, for the time that is left
	last     event.Step
	lastLine time.Time // the time of the last line about steps
	interval interval  // the steps since then
	phase    event.Phase
	compiled time.Duration // that training waited for the compiler, since first
	slowEval bool          // whether silence during an evaluation would be long
}

// interval sums up the steps of one line.
type interval struct {
	steps          int
	loss           float64
	dataMS, stepMS float64
	images         int
}

// NewPlain returns a sink that writes to w, with a line about steps at most once
// in every. Close does not close w.
func NewPlain(w io.Writer, every time.Duration) *Plain {
	return &Plain{w: w, every: every, slowEval: true}
}

// Handle implements [Sink].
func (p *Plain) Handle(r event.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	text := ""
	switch r := r.(type) {
	case event.Started:
		if wording.NextStage(r) {
			text = p.steps() // the last ones of the stage before
		}
		p.started, p.first, p.last = r, event.Step{}, event.Step{}
		p.interval, p.lastLine = interval{}, time.Time{}
		p.phase, p.compiled = event.Phase{}, 0
		text += startedLines(r)
	case event.Phase:
		text = p.enter(r)
	case event.Compiled:
		text = wording.Compiled(r) + "\n"
	case event.Step:
		text = p.step(r)
	case event.Eval:
		p.slowEval = r.Seconds > p.every.Seconds()
		text = wording.Eval(r) + "\n"
	case event.Saved:
		text = wording.Saved(r) + "\n"
	case event.Note:
		text = wording.Note(r) + "\n"
	case event.Action:
		text = wording.Action(r) + "\n"
	case event.Finished:
		// The last steps are those whose loss one looks for.
		text = p.steps() + wording.Finished(r) + "\n"
	}
	return p.write(text)
}

// enter speaks of the phases that are long and would be silent.
func (p *Plain) enter(r event.Phase) string {
	if p.phase.Name == event.PhaseCompile && p.first.Step != 0 {
		p.compiled += r.Time.Sub(p.phase.Time)
	}
	p.phase = r
	if r.Name == event.PhaseLoad || r.Name == event.PhaseCompile || r.Name == event.PhaseEval && p.slowEval {
		return wording.Phase(r) + "\n"
	}
	return ""
}

// step adds to the interval, and ends it with a line when it is time for one: at
// the first step, which shows that there is life, at the last, and in between when
// the last line is long enough ago.
func (p *Plain) step(r event.Step) string {
	if p.first.Step == 0 {
		p.first = r
	}
	p.last = r
	p.interval.steps++
	p.interval.loss += float64(r.Loss)
	p.interval.dataMS += r.DataMS
	p.interval.stepMS += r.StepMS
	p.interval.images += r.Images
	since := r.Time.Sub(p.lastLine)
	// A clock that was set back must not silence the run.
	if 0 <= since && since < p.every && r.Step != p.started.Steps {
		return ""
	}
	return p.steps()
}

// steps is the line about the interval, which it ends; empty when there was no
// step.
func (p *Plain) steps() string {
	if p.interval.steps == 0 {
		return ""
	}
	line := stepLine(p.interval, p.last, p.started.Steps, p.left())
	p.interval, p.lastLine = interval{}, p.last.Time
	return line
}

// left is the time to go in seconds, at the pace of this process so far, evaluations and
// saves included, but not what the compiler took, which is once for each shape of batch; 0
// when there is nothing to tell it from.
func (p *Plain) left() float64 {
	done, todo := p.last.Step-p.first.Step, p.started.Steps-p.last.Step
	if done <= 0 || todo <= 0 {
		return 0
	}
	return (p.last.Time.Sub(p.first.Time) - p.compiled).Seconds() / float64(done) * float64(todo)
}

func (p *Plain) write(text string) error {
	if text == "" {
		return nil
	}
	_, err := io.WriteString(p.w, text)
	return err
}

// Close implements [Sink].
func (p *Plain) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	return p.write(p.steps())
}
