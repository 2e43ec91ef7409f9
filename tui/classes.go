package tui

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui/history"
	"github.com/fcnx/fcnx/tui/plot"
)

// classView is how the list of classes is looked at.
type classView struct {
	order  int
	typing bool
	filter string
	top    int // rows scrolled down
}

// The orders of the classes.
const (
	byFall = iota // what has fallen most since its best comes first
	byIoU         // the worst first
	byName
	byLabel
	orders
)

func (c *classView) typed(msg tea.KeyPressMsg) {
	switch msg.String() {
	case "enter":
		c.typing = false
	case "esc":
		c.typing, c.filter = false, ""
	case "backspace":
		if runes := []rune(c.filter); len(runes) > 0 {
			c.filter = string(runes[:len(runes)-1])
		}
	default:
		if msg.Text != "" && len(c.filter) < 40 {
			c.filter += msg.Text
		}
	}
}

func (c *classView) scroll(key string) {
	switch key {
	case "up":
		c.top = max(0, c.top-1)
	case "down":
		c.top++
	}
}

// classRow is what one class has come to.
type classRow struct {
	label     int
	name      string
	iou       float64 // NaN: in neither labels nor predictions
	sinceLast float64 // change since the evaluation before
	sinceBest float64 // change since the best of this class; never above 0
}

// classRows are the classes that the filter lets through, in order.
func (m *Model) classRows(w *watched) []classRow {
	if v := w.history.Versions().Evals; w.classes == nil || w.rowsOf != v {
		w.classes, w.rowsOf = allRows(w.history), v
	}
	var rows []classRow
	for _, r := range w.classes {
		if strings.Contains(strings.ToLower(r.name), strings.ToLower(m.classes.filter)) {
			rows = append(rows, r)
		}
	}
	worst := func(v float64) float64 { // NaN goes last
		if math.IsNaN(v) {
			return math.Inf(1)
		}
		return v
	}
	slices.SortStableFunc(rows, func(a, b classRow) int {
		switch m.classes.order {
		case byFall:
			return cmp.Or(cmp.Compare(worst(a.sinceBest), worst(b.sinceBest)), cmp.Compare(worst(a.iou), worst(b.iou)))
		case byIoU:
			return cmp.Compare(worst(a.iou), worst(b.iou))
		case byName:
			return cmp.Compare(a.name, b.name)
		}
		return 0
	})
	return rows
}

// allRows goes over every evaluation, which is done once for each new one.
func allRows(h *history.Run) []classRow {
	started, _ := h.Started()
	rows := make([]classRow, len(started.Classes))
	for i, name := range started.Classes {
		rows[i] = row(i, wording.Printable(name), h.Evals())
	}
	return rows
}

func row(label int, name string, evals []history.Eval) classRow {
	r := classRow{label: label, name: name, iou: math.NaN(), sinceLast: math.NaN(), sinceBest: math.NaN()}
	best := math.NaN()
	for i, e := range evals {
		if label >= len(e.Class) {
			continue
		}
		v := e.Class[label]
		if i == len(evals)-1 {
			r.iou, r.sinceBest = v, math.Min(v-best, 0)
			if i == 0 {
				r.sinceBest = 0
			}
		} else if i == len(evals)-2 {
			r.sinceLast = -v
		}
		if !(best >= v) { // also the first number after NaN
			best = v
		}
	}
	r.sinceLast += r.iou
	return r
}

// orderName says what the list is sorted by.
func (m *Model) orderName() string {
	name := [...]string{"fall since best", "IoU", "name", "label"}[m.classes.order] + " " + m.glyphs.arrow
	if m.classes.filter != "" {
		name = "/" + m.classes.filter + "  " + name
	}
	return name
}

// classBars is a line a class: name, IoU in percent, a bar in the class's own
// colour, and how it changed.
func (m *Model) classBars(width, height int) (right string, body []string) {
	w := m.run()
	rows := m.classRows(w)
	if len(w.history.Evals()) == 0 {
		return m.orderName(), middle([]string{m.styles.dim.Render("no evaluation yet")}, width, height)
	}
	rows, more := m.visibleRows(rows, height)
	started, _ := w.history.Started()
	names := 0
	for _, name := range started.Classes {
		names = max(names, visible(wording.Printable(name)))
	}
	names = min(names, max(width/3, 8))
	const changes = 2 * 8
	bar := max(width-names-6-changes-1, 4)
	for _, r := range rows {
		line := fit(r.name, names) + " " + fitRight(percent(r.iou), 5) + " "
		fraction := r.iou
		if math.IsNaN(fraction) {
			fraction = 0
		}
		line += m.classStyle(w, r.label).Render(plot.Bar(bar, fraction, m.ascii))
		if width >= names+6+4+changes {
			line += m.change(r.sinceLast, "") + m.change(r.sinceBest, m.glyphs.star)
		}
		body = append(body, line)
	}
	return m.orderName() + more, body
}

// visibleRows are those that fit from where the list is scrolled to, and a word
// about the others.
func (m *Model) visibleRows(rows []classRow, height int) ([]classRow, string) {
	if len(rows) <= height {
		m.classes.top = 0
		return rows, ""
	}
	m.classes.top = min(m.classes.top, len(rows)-height)
	more := fmt.Sprintf("  %d-%d of %d", m.classes.top+1, m.classes.top+height, len(rows))
	return rows[m.classes.top : m.classes.top+height], more
}

// change is a difference of IoU in points, 8 cells wide, behind what it is a
// difference to.
func (m *Model) change(v float64, to string) string {
	points := 100 * v
	switch {
	case math.IsNaN(v):
		return strings.Repeat(" ", 8)
	case points > 0.05:
		return m.styles.rise.Render(fitRight(fmt.Sprintf("%s%s%5.1f", to, m.glyphs.up, points), 8))
	case points < -0.05:
		return m.styles.fall.Render(fitRight(fmt.Sprintf("%s%s%5.1f", to, m.glyphs.down, -points), 8))
	}
	return m.styles.faint.Render(fitRight(to+m.glyphs.same+"     ", 8))
}

func percent(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*v)
}

// classStyle is the data set's colour of a class.
func (m *Model) classStyle(w *watched, label int) lipgloss.Style {
	started, _ := w.history.Started()
	if label < len(started.Colors) {
		return m.styles.classColor(started.Colors[label])
	}
	return m.styles.train
}
