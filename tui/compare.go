package tui

import (
	"fmt"
	"slices"

	"charm.land/lipgloss/v2"

	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui/history"
	"github.com/fcnx/fcnx/tui/plot"
)

// comparison is several runs beside each other: one chart of their losses, one of
// their scores, and a table.
func (m *Model) comparison(width, height int) []string {
	from := [3]any{width, height, m.view}
	versions := ""
	for _, w := range m.runs {
		versions += fmt.Sprint(w.history.Versions().Evals, w.history.State(), w.now.Unix()) // steps once a second
	}
	key := [2]any{from, versions}
	if c, ok := m.cache[comparisonPanel]; ok && c.from == any(key) {
		return slices.Clone(c.lines)
	}
	lines := m.drawComparison(width, height)
	m.cache[comparisonPanel] = cached{key, lines}
	return slices.Clone(lines)
}

// comparisonPanel is the comparison's place in the cache.
const comparisonPanel panel = 0

func (m *Model) drawComparison(width, height int) []string {
	table := min(len(m.runs)+3, height/2)
	charts := height - table
	loss, score := m.newChart(), m.newChart()
	loss.Log = m.chart.log
	left := width / 2
	stacked := width < midWidth
	if stacked {
		left = width
	}
	for i, w := range m.runs {
		style := m.runStyle(i)
		s := m.curve(w.history.Loss(), loss, left-4, style, style)
		s.Band = false
		loss.Series = append(loss.Series, s)
		score.Series = append(score.Series, plot.Series{Line: style, Connect: true,
			Marks: m.marks(w, score, func(e history.Eval) float64 { return e.MeanIoU })})
	}
	right := m.styles.dim.Render(fmt.Sprintf("smooth %g  %s  %s", weights()[m.chart.smooth], word(m.chart.log, "log", "lin"), m.window()))
	var out []string
	if stacked {
		half := charts / 2
		out = append(m.box("Loss", right, loss.Render(width-4, half-2), width, half, false),
			m.box("mIoU", "", score.Render(width-4, charts-half-2), width, charts-half, false)...)
	} else {
		out = beside(m.box("Loss", right, loss.Render(left-4, charts-2), left, charts, false),
			m.box("mIoU", "", score.Render(width-left-4, charts-2), width-left, charts, false))
	}
	return block(append(out, m.box("Runs", "", m.runTable(), width, table, true)...), width, height)
}

func (m *Model) runStyle(i int) lipgloss.Style { return m.styles.runs[i%len(m.styles.runs)] }

// runTable is a line a run; the chosen one is marked.
func (m *Model) runTable() []string {
	names := 4
	for _, w := range m.runs {
		names = max(names, min(visible(w.source.Name()), 30))
	}
	lossAt := "loss"
	if m.chart.crossed {
		lossAt = fmt.Sprintf("@%.0f", m.chart.cross)
	}
	lines := []string{m.styles.dim.Render("    " + fit("run", names) + "  state       step              " + fit(lossAt, 7) + "  mIoU     best          left")}
	for i, w := range m.runs {
		started, _ := w.history.Started()
		last := w.history.Last()
		miou, best, left, loss := "-", "-", "", wording.Number(float64(last.Loss))
		if m.chart.crossed {
			loss = "-"
			if c := w.history.Loss().Columns(int64(m.chart.cross)-1, int64(m.chart.cross), 1)[0]; c.N > 0 {
				loss = wording.Number(c.Mean)
			}
		}
		if evals := w.history.Evals(); len(evals) > 0 {
			miou = fmt.Sprintf("%.3f", evals[len(evals)-1].MeanIoU)
		}
		if b, ok := w.history.Best(); ok {
			best = fmt.Sprintf("%.3f @%d", b.MeanIoU, b.Step)
		}
		if l, ok := w.history.Left(w.now); ok && !w.history.State().Over() {
			left = leftText(l)
		}
		pointer := "  "
		if i == m.chosen {
			pointer = "> "
		}
		state := w.history.State()
		lines = append(lines, pointer+m.runStyle(i).Render(m.glyphs.dot)+" "+fit(wording.Printable(w.source.Name()), names)+"  "+
			m.stateStyle(state).Render(fit(string(state), 10))+"  "+fit(fmt.Sprintf("%d/%d", last.Step, started.Steps), 16)+"  "+
			fit(loss, 7)+"  "+fit(miou, 7)+"  "+fit(best, 12)+"  "+left)
	}
	return lines
}
