package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
)

// binding is a line of the key table, from which the help and the footer are made.
type binding struct {
	keys   string // as Bubble Tea calls them, separated by blanks
	label  string // as a person reads them; empty: keys
	help   string
	short  string // in the footer; empty: not there
	during string // what it needs to do anything: one of the below; empty: nothing
	do     func(m *Model, key string) tea.Cmd
}

// What a binding needs to do anything.
const (
	whenLive    = "live"    // a run that can be asked
	whenReplay  = "replay"  // a recording that is played
	whenSeveral = "several" // more than one run
	whenAlone   = "alone"   // one run on the screen
)

// bindings is the key table.
func bindings() []binding {
	return []binding{
		{keys: "?", help: "this page", short: "help", do: func(m *Model, _ string) tea.Cmd { m.helping = true; return nil }},
		{keys: "q ctrl+c", label: "q, ctrl+c", help: "leave: stop the run, detach from it, or stay", short: "quit", do: (*Model).quit},
		{keys: "d", help: "detach: leave the screen, the run goes on", do: func(m *Model, _ string) tea.Cmd { return m.detach() }},
		{keys: "tab", help: "focus the next panel", short: "focus", do: func(m *Model, _ string) tea.Cmd { m.cycle(1); return nil }},
		{keys: "shift+tab", help: "focus the one before", do: func(m *Model, _ string) tea.Cmd { m.cycle(-1); return nil }},
		{keys: "1 2 3 4 5 6 7 8 9", label: "1-9", help: "go to a panel: " + panelList(), during: whenAlone, do: (*Model).goTo},
		{keys: "z", help: "full screen, and back", short: "zoom", during: whenAlone, do: func(m *Model, _ string) tea.Cmd { m.zoomed = !m.zoomed; return nil }},
		{keys: "esc", help: "back: from full screen, crosshair, filter, zoom", do: (*Model).back},
		{keys: "enter", help: "look at the chosen run alone, and back", during: whenSeveral, do: func(m *Model, _ string) tea.Cmd { m.alone = !m.alone; return nil }},
		{keys: "y", help: "log scale of the loss", short: "log", do: func(m *Model, _ string) tea.Cmd { m.chart.log = !m.chart.log; return nil }},
		{keys: "s", help: "smoothing: off, 0.6, 0.9, 0.98", short: "smooth", do: func(m *Model, _ string) tea.Cmd { m.chart.smoothMore(); return nil }},
		{keys: "w", help: "the whole run, or its last part", do: func(m *Model, _ string) tea.Cmd { m.chart.recent = !m.chart.recent; m.chart.whole(); return nil }},
		{keys: "+ =", label: "+", help: "zoom the charts in", do: func(m *Model, _ string) tea.Cmd { m.zoomChart(0.5); return nil }},
		{keys: "-", help: "zoom out", do: func(m *Model, _ string) tea.Cmd { m.zoomChart(2); return nil }},
		{keys: "left right up down", label: "arrows", help: "charts: pan, zoom; picture: image, evaluation; lists: scroll", do: (*Model).arrow},
		{keys: "[ ]", help: "crosshair: values at a step, and move it", do: (*Model).crosshair},
		{keys: "o", help: "order of the classes: fall since the best, IoU, name, label", during: whenAlone, do: func(m *Model, _ string) tea.Cmd { m.classes.order = (m.classes.order + 1) % orders; return nil }},
		{keys: "/", help: "show only classes whose name has this in it", short: "filter", during: whenAlone, do: func(m *Model, _ string) tea.Cmd { m.classes.typing = true; return nil }},
		{keys: "space", help: "freeze the view (the run goes on)", short: "freeze", do: (*Model).freeze},
		{keys: "a", help: "ASCII instead of lines and dots, and back", do: func(m *Model, _ string) tea.Cmd { m.setASCII(!m.ascii); return nil }},
		{keys: "c", help: "save a checkpoint now", short: "save", during: whenLive, do: func(m *Model, _ string) tea.Cmd { return m.ask(event.ActionSave) }},
		{keys: "e", help: "evaluate now", short: "eval", during: whenLive, do: func(m *Model, _ string) tea.Cmd { return m.ask(event.ActionEvaluate) }},
		{keys: "L", help: "halve the learning rate (asks first)", during: whenLive, do: func(m *Model, _ string) tea.Cmd { m.dialog = halveDialog; return nil }},
		{keys: "< >", help: "replay slower, faster", during: whenReplay, do: (*Model).pace},
		{keys: "ctrl+z", help: "suspend this screen; fg brings it back, the run goes on", do: func(*Model, string) tea.Cmd { return tea.Suspend }},
	}
}

func panelList() string {
	var names []string
	for p := panel(1); p <= panel(panels); p++ {
		names = append(names, strings.ToLower(p.title()))
	}
	return strings.Join(names, ", ")
}

func (b binding) name() string {
	if b.label != "" {
		return b.label
	}
	return strings.ReplaceAll(b.keys, " ", ", ")
}

// binds tells whether the key is one of the binding's.
func (b binding) binds(key string) bool {
	for _, k := range strings.Fields(b.keys) {
		if k == key {
			return true
		}
	}
	return false
}

// works tells whether the binding does anything for the run on the screen.
func (m *Model) works(b binding) bool {
	switch b.during {
	case whenLive:
		return m.live(m.run())
	case whenReplay:
		_, ok := m.run().source.(Player)
		return ok
	case whenSeveral:
		return len(m.runs) > 1
	case whenAlone:
		return !m.several()
	}
	return true
}

// press looks a key up in the table.
func (m *Model) press(key string) tea.Cmd {
	for _, b := range bindings() {
		if !b.binds(key) {
			continue
		}
		if !m.works(b) {
			m.flash(b.name() + ": " + m.whyNot(b))
			return nil
		}
		return b.do(m, key)
	}
	return nil
}

func (m *Model) whyNot(b binding) string {
	switch b.during {
	case whenLive:
		if m.run().source.Replayed() {
			return "this is a recording; nothing can be asked of it"
		}
		if m.run().silent() {
			return "the run has not begun"
		}
		return "no process trains this run now"
	case whenReplay:
		return "this is no recording that is played"
	}
	if b.during == whenAlone {
		return "for one run; enter looks at the chosen one alone"
	}
	return "there is only one run"
}

// footer names the keys that one needs most, as many as fit.
func (m *Model) footer(width int) string {
	if m.classes.typing {
		return fit(m.styles.key.Render(" / ")+m.classes.filter+m.styles.selected.Render(" ")+m.styles.dim.Render("  enter keeps it, esc clears it"), width)
	}
	right := ""
	if text := m.flashed(); text != "" {
		right = m.styles.warn.Render(text) + " "
	} else if m.frozen {
		right = m.styles.warn.Render("frozen: space goes on") + " "
	} else if err := m.run().err; err != nil {
		right = m.styles.alarm.Render(wording.Printable(err.Error())) + " "
	}
	line, room := "", width-visible(right)
	for _, b := range bindings() {
		if b.short == "" || !m.works(b) {
			continue
		}
		name, _, _ := strings.Cut(b.name(), ",")
		item := " " + m.styles.key.Render(name) + " " + m.styles.dim.Render(b.short) + " "
		if visible(line)+visible(item) > room {
			break
		}
		line += item
	}
	return ends(line, right, width)
}

// helpPage is the whole table.
func (m *Model) helpPage(width, height int) []string {
	var lines []string
	column := 12
	for _, b := range bindings() {
		style := m.styles.text
		if !m.works(b) {
			style = m.styles.faint
		}
		text := wrap(b.help, width-4-column)
		for i, part := range text {
			name := ""
			if i == 0 {
				name = b.name()
			}
			lines = append(lines, m.styles.key.Render(fit(name, column))+style.Render(part))
		}
	}
	if over := len(lines) - (height - 2); over > 0 {
		m.helpTop = min(max(m.helpTop, 0), over)
		lines = lines[m.helpTop:]
	} else {
		m.helpTop = 0
	}
	return m.box("Keys", m.styles.dim.Render("any other key: back"), lines, width, height, true)
}
