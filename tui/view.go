package tui

import (
	"fmt"
	"strings"

	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui/history"
)

// cached is a panel as it was drawn last, and what it was drawn from.
type cached struct {
	from  any
	lines []string
}

// draw makes the screen anew, of panels that are drawn anew only where they changed.
func (m *Model) draw() {
	m.drawn = m.now
	if m.width > 0 && m.height > 0 {
		m.content = strings.Join(m.Screen(m.width, m.height), "\n")
	}
}

// Screen is the whole screen in exactly height lines of exactly width cells.
func (m *Model) Screen(width, height int) []string {
	m.width, m.height = width, height
	if width < lineWidth || height < lineHeight {
		return m.tooSmall(width, height)
	}
	head := m.header(width)
	foot := []string{}
	if m.footed(height) {
		foot = []string{m.footer(width)}
	}
	room := height - len(head) - len(foot)
	var body []string
	switch {
	case m.helping:
		body = m.helpPage(width, room)
	case m.several():
		body = m.comparison(width, room)
	case m.run().silent():
		body = m.waiting(width, room)
	default:
		body = m.panels(width, room)
	}
	if m.dialog != nil {
		body = m.over(body, m.dialogBox(width, room), width)
	}
	lines := append(append(head, body...), foot...)
	if m.ascii {
		lines = asciiOnly(lines)
	}
	return lines
}

// footed tells whether there is room, and use, for the line of keys.
func (m *Model) footed(height int) bool { return height >= smallestWithFooter && !m.options.Still }

// silent tells whether a run has not begun to speak.
func (w *watched) silent() bool {
	_, begun := w.history.Started()
	return !begun
}

// stillborn tells whether the run's process has gone without a record.
func (w *watched) stillborn() bool { return w.silent() && w.life == Gone && w.source.Dir() != "" }

// places are the panels of the screen as it is.
func (m *Model) places() []place {
	foot := 0
	if m.footed(m.height) {
		foot = footerRows
	}
	return arrange(m.width, m.height-headerRows-foot, m.focus, m.zoomed, len(m.run().history.Previews()) > 0)
}

func (m *Model) panels(width, height int) []string {
	rows := make([]string, height)
	// Panels of one row of the layout follow one another from left to right.
	for _, p := range m.places() {
		for i, line := range m.panel(p) {
			if y := p.y + i; y < height {
				rows[y] += line
			}
		}
	}
	return block(rows, width, height)
}

// panel draws one, or takes it as it was drawn before.
func (m *Model) panel(p place) []string {
	w := m.run()
	v := w.history.Versions()
	if since := m.now.Sub(w.stepsAt); since >= redrawCharts || since < 0 {
		w.steps, w.stepsAt = v.Steps, m.now
	}
	v.Steps = w.steps
	from := [4]any{p, m.view, p.panel.shows(v), w}
	if c, ok := m.cache[p.panel]; ok && c.from == any(from) {
		return c.lines
	}
	lines := m.drawPanel(p)
	m.cache[p.panel] = cached{from, lines}
	return lines
}

// shows are the versions of the parts of a history that a panel is drawn from.
func (p panel) shows(v history.Versions) [2]uint64 {
	switch p {
	case lossPanel, scorePanel:
		return [2]uint64{v.Steps, v.Evals}
	case ratePanel:
		return [2]uint64{v.Steps}
	case classPanel, heatPanel:
		return [2]uint64{v.Evals}
	case picturePanel:
		return [2]uint64{v.Previews}
	case stepPanel:
		return [2]uint64{v.Steps, v.System}
	}
	return [2]uint64{v.Log}
}

func (m *Model) drawPanel(p place) []string {
	inner, rows := max(p.w-4, 0), max(p.h-2, 0)
	var right string
	var body []string
	title := p.panel.title()
	switch p.panel {
	case lossPanel:
		right, body = m.lossChart(inner, rows)
	case scorePanel:
		right, body = m.scoreChart(inner, rows)
	case ratePanel:
		right, body = m.rateChart(inner, rows)
	case classPanel:
		right, body = m.classBars(inner, rows)
	case heatPanel:
		right, body = m.heatMap(inner, rows)
	case picturePanel:
		title, right, body = m.pictures(inner, rows)
	case stepPanel:
		title, right, body = m.stepSplit(inner, rows)
	case savedPanel:
		right, body = m.checkpoints(inner, rows)
	case logPanel:
		right, body = m.logTail(inner, rows)
	}
	return m.box(title, m.styles.dim.Render(right), body, p.w, p.h, p.panel == m.focus && !m.options.Still)
}

// tooSmall is the dashboard of a window that is hardly there: one line, and why.
func (m *Model) tooSmall(width, height int) []string {
	w := m.run()
	line := string(w.history.State())
	if last := w.history.Last(); last.Step > 0 {
		line = fmt.Sprintf("step %d loss %s", last.Step, wording.Number(float64(last.Loss)))
		if evals := w.history.Evals(); len(evals) > 0 {
			line += fmt.Sprintf(" mIoU %.3f", evals[len(evals)-1].MeanIoU)
		}
	}
	lines := []string{line}
	if height > 1 {
		lines = append(lines, fmt.Sprintf("too small: %dx%d", width, height))
	}
	return block(lines, width, height)
}

// waiting is the screen before the first record, which a large data set can delay.
func (m *Model) waiting(width, height int) []string {
	w := m.run()
	lines := []string{m.styles.strong.Render("waiting for the run to begin"), ""}
	if w.err != nil {
		lines[0] = m.styles.alarm.Render("the run cannot be read")
		return middle(append(lines, wrap(wording.Printable(w.err.Error()), width-4)...), width, height)
	}
	if w.stillborn() {
		lines[0] = m.styles.alarm.Render("its process is gone, and has said nothing")
		lines = append(lines, wording.Printable(w.source.Dir()+"/log.txt may know more"))
		return middle(lines, width, height)
	}
	if w.read < w.size {
		lines = append(lines, m.styles.dim.Render(fmt.Sprintf("reading %s of %s", wording.Bytes(w.read), wording.Bytes(w.size))))
	}
	for _, part := range wrap(wording.Printable(w.status), width-4) {
		lines = append(lines, m.styles.dim.Render(part))
	}
	return middle(lines, width, height)
}

func (m *Model) windowTitle() string {
	w := m.run()
	last := w.history.Last()
	if len(m.runs) > 1 {
		return fmt.Sprintf("fcnx: %d runs", len(m.runs))
	}
	if started, ok := w.history.Started(); ok && started.Steps > 0 && w.history.State() != history.Done {
		return fmt.Sprintf("%d%% %s", 100*last.Step/started.Steps, wording.Printable(w.source.Name()))
	}
	return "fcnx " + wording.Printable(w.source.Name())
}
