package tui

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/fcnx/fcnx/train/event"
)

// keyPressed gives a key to whoever is listening: a question, the filter, the help,
// or the table of keys.
func (m *Model) keyPressed(msg tea.KeyPressMsg) tea.Cmd {
	key := msg.String()
	switch {
	case m.dialog != nil:
		return m.answer(key)
	case m.classes.typing:
		if key == "ctrl+c" {
			return m.press(key)
		}
		m.classes.typed(msg)
		return nil
	case m.helping:
		switch key {
		case "down", "j":
			m.helpTop++
		case "up", "k":
			m.helpTop--
		case "ctrl+c":
			m.helping = false
			return m.press(key)
		default:
			m.helping = false
		}
		return nil
	}
	m.summary = false
	return m.press(key)
}

// quit asks, unless there is nothing to decide.
func (m *Model) quit(string) tea.Cmd {
	switch {
	case len(m.runs) > 1 && m.alone:
		m.alone = false
		return nil
	case m.several(), !m.live(m.run()):
		return m.leave(Quit)
	}
	m.dialog = quitDialog
	return nil
}

// detach leaves the screen. Before the run has a directory nobody could find it
// again.
func (m *Model) detach() tea.Cmd {
	if m.options.Attached && m.run().source.Dir() == "" {
		m.flash("not yet: the run has no directory to find it by")
		m.dialog = nil
		return nil
	}
	return m.leave(Detached)
}

// ask sends a request to the run, and says so.
func (m *Model) ask(action string) tea.Cmd {
	m.flash(asking(action))
	return m.request(action)
}

func (m *Model) request(action string) tea.Cmd {
	source := m.run().source
	return func() tea.Msg { return askedMsg{action, source.Ask(action)} }
}

// asked tells when a request could not even be written. What came of one that could
// is among the records.
func (m *Model) asked(msg askedMsg) {
	if msg.err == nil {
		return
	}
	if m.dialog == stoppingDialog {
		m.dialog = nil
	}
	m.flash(fmt.Sprintf("not asked: %v", msg.err))
}

func asking(action string) string {
	switch action {
	case event.ActionSave:
		return "asked for a checkpoint"
	case event.ActionEvaluate:
		return "asked for an evaluation"
	case event.ActionHalveLR:
		return "asked for half the rate"
	}
	return "asked"
}

// notice is a sentence at the foot of the screen for a few seconds.
type notice struct {
	text  string
	until time.Time
}

func (m *Model) flash(text string) { m.notice = notice{text, m.options.Now().Add(5 * time.Second)} }

func (m *Model) flashed() string {
	if m.now.After(m.notice.until) {
		return ""
	}
	return m.notice.text
}

// freeze holds the view: no record is read until it ends.
func (m *Model) freeze(string) tea.Cmd {
	m.frozen = !m.frozen
	for _, w := range m.runs {
		if p, ok := w.source.(Player); ok {
			p.Pause(m.frozen)
		}
	}
	return nil
}

// pace changes the speed of a replay.
func (m *Model) pace(key string) tea.Cmd {
	for _, w := range m.runs {
		if p, ok := w.source.(Player); ok {
			if key == ">" {
				p.SetSpeed(min(p.Speed()*2, 1e6))
			} else {
				p.SetSpeed(max(p.Speed()/2, 0.125))
			}
			m.flash(fmt.Sprintf("%gx", p.Speed()))
		}
	}
	return nil
}

// goTo focuses the panel of that number. One that the layout does not show fills the
// screen.
func (m *Model) goTo(key string) tea.Cmd {
	to := panel(key[0] - '0')
	m.focus, m.zoomed = to, false
	for _, p := range m.places() {
		if p.panel == to {
			return nil
		}
	}
	m.zoomed = true
	return nil
}

// cycle moves the focus among the panels on the screen, or from run to run.
func (m *Model) cycle(by int) {
	if m.several() {
		m.chosen = (m.chosen + by + len(m.runs)) % len(m.runs)
		return
	}
	places := m.places()
	if len(places) == 1 {
		m.focus = panel((int(m.focus)-1+by+panels)%panels + 1)
		return
	}
	at := 0
	for i, p := range places {
		if p.panel == m.focus {
			at = i
		}
	}
	m.focus = places[(at+by+len(places))%len(places)].panel
}

// back undoes the last thing that changed what is seen.
func (m *Model) back(string) tea.Cmd {
	switch {
	case m.chart.crossed:
		m.chart.crossed = false
	case m.classes.filter != "":
		m.classes.filter = ""
	case m.chart.zoomed():
		m.chart.whole()
	case m.zoomed:
		m.zoomed = false
	case m.alone:
		m.alone = false
	}
	return nil
}

// arrow moves what is focused.
func (m *Model) arrow(key string) tea.Cmd {
	if m.several() {
		if key == "up" || key == "down" {
			m.cycle(map[string]int{"up": -1, "down": 1}[key])
			return nil
		}
		m.panChart(key)
		return nil
	}
	switch m.focus {
	case picturePanel:
		m.picture.move(key, m.run().history.Previews())
		return m.wantPicture()
	case classPanel, heatPanel:
		m.classes.scroll(key)
	case logPanel:
		m.logTop = max(0, m.logTop+map[string]int{"up": 1, "down": -1}[key])
	default:
		m.panChart(key)
	}
	return nil
}
