package tui

import (
	"fmt"

	"charm.land/lipgloss/v2"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui/history"
	"github.com/fcnx/fcnx/tui/plot"
)

// shortestBar is how many cells of the strip the bar of steps keeps, at the cost of
// what stands around it.
const shortestBar = 10

// strip is where the time of a run went, phase by phase, around the bar of its
// steps. So the first compilation is no riddle: it has a name, and a clock that runs.
func (m *Model) strip(w *watched, width int) string {
	s, _ := w.history.Started()
	last := w.history.Last()
	before, train, after := m.phases(w)
	count := fmt.Sprintf(" %*d/%d", len(fmt.Sprint(s.Steps)), last.Step, s.Steps)
	epochs := ""
	if s.Epochs > 0 {
		epochs = fmt.Sprintf("  epoch %*.1f/%.4g", len(fmt.Sprintf("%.1f", s.Epochs)), last.Epoch, s.Epochs)
	}
	room := func() int {
		return width - 2 - visible(before) - visible(train) - 1 - visible(count) - visible(epochs) - visible(after)
	}
	// On a narrow screen these give way to the bar, in this order. A compilation that
	// goes on does not: there is nothing else to see.
	parts := []*string{&after, &epochs, &before}
	if w.history.Current() == event.PhaseCompile {
		parts = []*string{&after, &epochs, &count}
	}
	for _, part := range parts {
		if room() < shortestBar {
			*part = ""
		}
	}
	fraction := 0.0
	if s.Steps > 0 {
		fraction = float64(last.Step) / float64(s.Steps)
	}
	bar := plot.Progress(max(room(), 0), fraction, m.styles.train, m.styles.faint, m.ascii)
	return fit(" "+before+train+" "+bar+count+epochs+after, width)
}

// phases are the times of the phases before the steps, of the steps, and of what
// comes between them, with what separates them.
func (m *Model) phases(w *watched) (before, train, after string) {
	now := w.history.Phase()
	separator := " " + m.styles.faint.Render(m.glyphs.bar) + " "
	train = m.styles.train.Render("train")
	for _, p := range w.history.Phases(w.now) {
		text := p.Name + " " + wording.Seconds(p.Seconds)
		style := m.styles.dim
		if p.Name == w.history.Current() {
			style = m.phaseStyle(p.Name)
			if p.Name == event.PhaseCompile && now.Detail != "" {
				text = "compile " + wording.Printable(now.Detail) + " " + wording.Seconds(w.now.Sub(now.Time).Seconds())
			}
		}
		switch p.Name {
		case event.PhaseLoad, event.PhaseCompile, history.PhaseWarmup:
			before += style.Render(text) + separator
		case event.PhaseTrain:
			train = m.styles.train.Render(text)
		default:
			after += separator + style.Render(text)
		}
	}
	return before, train, after
}

func (m *Model) phaseStyle(name string) lipgloss.Style {
	for i, n := range []string{event.PhaseLoad, event.PhaseCompile, history.PhaseWarmup, event.PhaseTrain, event.PhaseEval, event.PhaseSave} {
		if n == name {
			return m.styles.phases[i]
		}
	}
	return m.styles.dim
}
