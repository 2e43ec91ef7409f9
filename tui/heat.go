package tui

import (
	"fmt"
	"math"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/fcnx/fcnx/tui/plot"
)

// heatMap is IoU by class (down) and evaluation (across, the newest at the right).
func (m *Model) heatMap(width, height int) (right string, body []string) {
	w := m.run()
	evals := w.history.Evals()
	if len(evals) == 0 {
		return m.orderName(), middle([]string{m.styles.dim.Render("no evaluation yet")}, width, height)
	}
	rows, more := m.visibleRows(m.classRows(w), height-1)
	names := 0
	for _, r := range rows {
		names = max(names, visible(r.name))
	}
	names = min(names, max(width/4, 8))
	room := max(width-names-1, 1)
	cell := min(max(room/len(evals), 1), 6)
	shown := min(len(evals), room/cell)
	evals = evals[len(evals)-shown:]
	for _, r := range rows {
		line := fit(r.name, names) + " "
		for _, e := range evals {
			v := math.NaN()
			if r.label < len(e.Class) {
				v = e.Class[r.label]
			}
			line += m.heat(v, cell)
		}
		body = append(body, line)
	}
	first, last := evals[0], evals[len(evals)-1]
	foot := fitRight(fmt.Sprintf("step %d", last.Step), shown*cell)
	if from := fmt.Sprintf("step %d", first.Step); visible(from)+visible(foot) < 2*shown*cell && shown*cell > 2*visible(from) {
		foot = ends(from, fmt.Sprint(last.Step), shown*cell)
	} else if shown*cell < visible(foot) {
		foot = fit(fmt.Sprintf("step %d", last.Step), width-names-1)
	}
	body = append(block(body, width, height-1), strings.Repeat(" ", names+1)+m.styles.faint.Render(foot))
	return m.orderName() + more, body
}

// heat is one field of the map: a colour, with the number in it where it fits; what
// never occurs is empty.
func (m *Model) heat(v float64, cells int) string {
	if math.IsNaN(v) {
		return fitRight(m.styles.faint.Render("-"), cells)
	}
	if !m.color || m.ascii {
		if cells >= 4 {
			return fitRight(percent(v), cells)
		}
		return strings.Repeat(string(plot.HeatGlyph(v)), cells)
	}
	text := ""
	if cells >= 5 {
		text = percent(v) + " "
	}
	return ansi.NewStyle().BackgroundColor(plot.Heat(v, m.styles.dark)).ForegroundColor(plot.OnHeat(v, m.styles.dark)).Styled(fitRight(text, cells))
}
