package tui

import (
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/fcnx/fcnx/train/event"
)

// dialog is a question over the screen. Its answers are keys.
type dialog struct {
	title   string
	text    []string
	answers []answer
}

type answer struct {
	keys, help string
	do         func(m *Model) tea.Cmd
}

var (
	quitDialog = &dialog{
		title: "Leave this run?",
		answers: []answer{
			{"s", "stop: finish the step, save a checkpoint, end", func(m *Model) tea.Cmd {
				m.dialog = stoppingDialog
				return m.request(event.ActionStop)
			}},
			{"d", "detach: leave the screen, the run goes on", (*Model).detach},
			{"esc", "stay here", nil},
		},
	}
	stoppingDialog = &dialog{
		title: "Stopping",
		text:  []string{"The run finishes its step, saves and ends. It does not wait for a compilation."},
		answers: []answer{
			{"d", "do not wait for it", (*Model).detach},
			{"esc", "stay here", nil},
		},
	}
	halveDialog = &dialog{
		title: "Halve the learning rate?",
		text:  []string{"From the next step on to the end of the run, also after a resume. It cannot be taken back."},
		answers: []answer{
			{"y", "halve it", func(m *Model) tea.Cmd { m.dialog = nil; return m.ask(event.ActionHalveLR) }},
			{"esc", "leave it as it is", nil},
		},
	}
)

// answer takes an answer. Ctrl-C is the key of somebody in a hurry: it leaves, and
// never by accident ends what took hours.
func (m *Model) answer(key string) tea.Cmd {
	if key == "ctrl+c" {
		return m.detach()
	}
	for _, a := range m.dialog.answers {
		if a.keys == key {
			if a.do == nil {
				m.dialog = nil
				return nil
			}
			return a.do(m)
		}
	}
	if key == "n" || key == "q" {
		m.dialog = nil
	}
	return nil
}

// dialogBox is the open question.
func (m *Model) dialogBox(width, height int) []string {
	inner := min(56, width-4)
	var lines []string
	for _, text := range m.dialog.text {
		lines = append(append(lines, wrap(text, inner-4)...), "")
	}
	for _, a := range m.dialog.answers {
		for i, part := range wrap(a.help, inner-4-6) {
			key := ""
			if i == 0 {
				key = a.keys
			}
			lines = append(lines, m.styles.key.Render(fit(key, 6))+part)
		}
	}
	return m.box(m.dialog.title, "", lines, inner, min(len(lines)+2, height), true)
}

// over lays a box over the middle of a body.
func (m *Model) over(body, box []string, width int) []string {
	if len(box) == 0 {
		return body
	}
	w := visible(box[0])
	left, top := max(0, (width-w)/2), max(0, (len(body)-len(box))/2)
	for i, line := range box {
		if y := top + i; y < len(body) {
			under := body[y]
			body[y] = fit(ansi.Truncate(under, left, ""), left) + line + ansi.TruncateLeft(under, left+w, "")
		}
	}
	return body
}
