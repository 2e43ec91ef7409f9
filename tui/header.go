package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui/history"
)

// header is the two lines that every screen begins with: which run, on what, in
// what state and for how long; and what its time went into.
func (m *Model) header(width int) []string {
	if m.several() {
		return []string{
			ends(" "+m.styles.strong.Render("fcnx")+fmt.Sprintf("  %d runs", len(m.runs)), "", width),
			fit(m.styles.dim.Render(" tab chooses a run, enter looks at it alone"), width),
		}
	}
	w := m.run()
	return []string{m.identity(w, width), m.progress(w, width)}
}

// identity says who the run is at the left, and how it is at the right.
func (m *Model) identity(w *watched, width int) string {
	name := " " + m.styles.strong.Render("fcnx") + "  " + m.styles.strong.Render(wording.Printable(w.source.Name()))
	// What does not fit is left out whole, the last first; state and name stay.
	right := ""
	for _, part := range m.condition(w) {
		if right != "" && visible(name)+visible(right)+visible(part)+2 > width {
			break
		}
		right += part + " "
	}
	left := name
	for _, part := range m.description(w) {
		if visible(left)+2+visible(part)+visible(right) >= width {
			break
		}
		left += "  " + m.styles.dim.Render(part)
	}
	return ends(left, right, width)
}

// condition is how the run is: state, time, time left.
func (m *Model) condition(w *watched) []string {
	state := w.history.State()
	parts := []string{" " + m.stateStyle(state).Render(m.glyphs.dot+" "+string(state))}
	if w.source.Replayed() && !m.options.Still {
		parts = append(parts, m.styles.dim.Render(m.replayText(w)))
	}
	if _, begun := w.history.Started(); begun {
		parts = append(parts, " "+clock(w.history.Elapsed(w.now)))
		if left, ok := w.history.Left(w.now); ok && !state.Over() {
			parts = append(parts, " "+m.styles.dim.Render("left ")+leftText(left))
		}
	}
	return parts
}

// description is what the run is: network, data, what computes.
func (m *Model) description(w *watched) []string {
	s, ok := w.history.Started()
	if !ok {
		return nil
	}
	backend := wording.Printable(s.Backend)
	if s.Plugin != "" {
		backend += " (" + wording.Printable(s.Plugin) + ")"
	}
	if s.Devices > 1 {
		backend += ", " + plural(int64(s.Devices), "device")
	} else if sys, ok := w.history.System(); ok && sys.Cores > 0 {
		backend += ", " + plural(int64(sys.Cores), "core")
	}
	var parts []string
	network := s.Model + " " + s.Encoder
	if stage := wording.Stage(s); stage != "" {
		parts = append(parts, stage)
		if s.StageName == s.Model { // as it is called where nobody calls it otherwise
			network = s.Encoder
		}
	}
	if n := w.history.Skipped(); n > 0 {
		parts = append(parts, plural(n, "sample")+" skipped")
	}
	return append(parts,
		wording.Printable(network), wording.Millions(s.Params)+" weights", dataName(s.Data),
		fmt.Sprintf("%d classes", len(s.Classes)), backend, fmt.Sprintf("batch %d", s.Batch),
	)
}

// dataName is a SPEC without the directories that lead to the data.
func dataName(spec string) string {
	kind, rest, _ := strings.Cut(spec, ":")
	path, _, _ := strings.Cut(rest, "?")
	if path == "" {
		kind, _, _ = strings.Cut(kind, "?")
		return wording.Printable(kind)
	}
	return wording.Printable(kind + ":" + path[strings.LastIndexByte(strings.TrimRight(path, "/"), '/')+1:])
}

func (m *Model) replayText(w *watched) string {
	text := "replay"
	if p, ok := w.source.(Player); ok {
		text = fmt.Sprintf("replay %gx", p.Speed())
	}
	if w.ended {
		text += ", at its end"
	}
	return text
}

func (m *Model) stateStyle(s history.State) lipgloss.Style {
	switch s {
	case history.Done:
		return m.styles.best
	case history.Diverged, history.Failed, history.Lost:
		return m.styles.alarm
	case history.Stopped:
		return m.styles.warn
	case history.Evaluating:
		return m.styles.val
	case history.Training:
		return m.styles.train
	}
	return m.styles.phases[1]
}

func leftText(left history.Span) string {
	lo, hi := wording.WholeSeconds(left.Min.Seconds()), wording.WholeSeconds(left.Max.Seconds())
	if lo == hi {
		return "about " + hi
	}
	return lo + " to " + hi
}

// progress is the strip of phases, with the bar of steps in the middle; or how the
// run ended, until a key is pressed.
func (m *Model) progress(w *watched, width int) string {
	if w.silent() {
		return fit("", width)
	}
	if m.summary && w.history.State().Over() {
		return m.end(w, width)
	}
	return m.strip(w, width)
}

// end is how a run ended, and what one does next.
func (m *Model) end(w *watched, width int) string {
	state := w.history.State()
	last := w.history.Last()
	text := ""
	switch f, _ := w.history.Finished(); state {
	case history.Done:
		text = fmt.Sprintf("done: %s in %s", plural(f.Step, "step"), wording.Seconds(f.Seconds))
	case history.Stopped:
		text = fmt.Sprintf("stopped after step %d and saved; fcnx train --resume=%s goes on", f.Step, w.source.Dir())
		if f.Step == 0 {
			text = "stopped before the first step"
		}
	case history.Diverged:
		text = fmt.Sprintf("diverged at step %d: %s", f.Step, f.Error)
	case history.Failed:
		text = "failed: " + f.Error
	case history.Lost:
		text = fmt.Sprintf("its process is gone without a word after step %d; log.txt may know more, fcnx train --resume=%s goes on", last.Step, w.source.Dir())
	}
	if best, ok := w.history.Best(); ok && state == history.Done {
		text += fmt.Sprintf("   best mIoU %.3f at step %d", best.MeanIoU, best.Step)
	}
	hint := "any key: back to its phases "
	if m.options.Still || visible(text)+visible(hint) > width {
		hint = ""
	}
	return ends(" "+m.stateStyle(state).Render(wording.Printable(text)), m.styles.dim.Render(hint), width)
}
