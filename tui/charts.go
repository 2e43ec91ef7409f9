package tui

import (
	"fmt"
	"math"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui/history"
	"github.com/fcnx/fcnx/tui/plot"
)

// chartView is how the charts of a run are looked at: all of them show the same
// steps.
type chartView struct {
	log      bool
	smooth   int  // index of weights
	recent   bool // the last part of the run only
	from, to float64
	crossed  bool    // whether there is a crosshair
	cross    float64 // its step
}

// weights are those of the moving average.
func weights() []float64 { return []float64{0, 0.6, 0.9, 0.98} }

func (c *chartView) smoothMore() { c.smooth = (c.smooth + 1) % len(weights()) }

func (c *chartView) zoomed() bool { return c.to > c.from }

func (c *chartView) whole() { c.from, c.to = 0, 0 }

// recentShare is how much of a run its last part is.
const recentShare = 0.2

// steps is the range of steps on the charts, (from, to].
func (m *Model) steps() (from, to float64) {
	from, to, ok := m.bounds()
	if !ok {
		return 0, 1
	}
	if m.chart.recent {
		from = math.Round(math.Max(from, to-math.Max(recentShare*(to-from), 50)))
	}
	if m.chart.zoomed() {
		from, to = m.chart.from, m.chart.to
	}
	return from, math.Max(to, from+1)
}

// bounds are the steps that there are, of all runs on the screen.
func (m *Model) bounds() (from, to float64, ok bool) {
	runs := []*watched{m.run()}
	if m.several() {
		runs = m.runs
	}
	from, to = math.Inf(1), math.Inf(-1)
	for _, w := range runs {
		if first, last, there := w.history.Loss().Bounds(); there {
			from, to = math.Min(from, float64(first-1)), math.Max(to, float64(last))
		}
	}
	return from, to, from < to
}

// zoomChart makes the range times as wide, around the crosshair or the right end.
func (m *Model) zoomChart(times float64) tea.Cmd {
	first, last, ok := m.bounds()
	if !ok {
		return nil
	}
	from, to := m.steps()
	center := to
	if m.chart.crossed {
		center = m.chart.cross
	} else if m.chart.zoomed() && to < last {
		center = (from + to) / 2
	}
	share := (center - from) / (to - from)
	width := math.Max((to-from)*times, 8)
	m.setRange(center-share*width, center+(1-share)*width, first, last)
	return nil
}

// panChart moves the range by a quarter of it; up and down zoom.
func (m *Model) panChart(key string) {
	first, last, ok := m.bounds()
	if !ok {
		return
	}
	from, to := m.steps()
	by := (to - from) / 4
	switch key {
	case "up":
		m.zoomChart(0.5)
		return
	case "down":
		m.zoomChart(2)
		return
	case "left":
		by = -math.Min(by, from-first)
	case "right":
		by = math.Min(by, last-to)
	}
	if by != 0 {
		m.setRange(from+by, to+by, first, last)
	}
}

// setRange keeps a range within the run; the whole run is no zoom, and follows it
// as it grows.
func (m *Model) setRange(from, to, first, last float64) {
	if from <= first && to >= last {
		m.chart.whole()
		m.chart.recent = false
		return
	}
	m.chart.from, m.chart.to = math.Round(math.Max(from, first)), math.Round(math.Min(to, last))
}

// crosshair puts it at the newest step, and moves it by a sixtieth of the chart.
func (m *Model) crosshair(key string) tea.Cmd {
	from, to := m.steps()
	by := math.Max((to-from)/60, 1)
	switch {
	case !m.chart.crossed:
		m.chart.crossed, m.chart.cross = true, to
	case key == "[":
		m.chart.cross -= by
	default:
		m.chart.cross += by
	}
	m.chart.cross = math.Round(math.Min(math.Max(m.chart.cross, from+1), to))
	return nil
}

// newChart is a chart of the steps that all charts show.
func (m *Model) newChart() plot.Chart {
	from, to := m.steps()
	c := plot.Chart{From: from, To: to, Cursor: math.NaN(), ASCII: m.ascii, Axis: m.styles.faint, Alarm: m.styles.alarm, CursorStyle: m.styles.dim}
	if m.chart.crossed {
		c.Cursor = m.chart.cross
	}
	return c
}

// lossChart is the training loss as a band from the smallest to the largest value of
// each column with a line through it, and the validation loss as marks.
func (m *Model) lossChart(width, height int) (right string, body []string) {
	w := m.run()
	if w.history.Last().Step == 0 {
		return "", middle([]string{m.styles.dim.Render("no step yet")}, width, height)
	}
	c := m.newChart()
	c.Log = m.chart.log
	c.Series = []plot.Series{m.curve(w.history.Loss(), c, width, m.styles.train, m.styles.trainBand), {
		Name: "val", Marks: m.marks(w, c, func(e history.Eval) float64 { return e.Loss }), Line: m.styles.val,
	}}
	right = m.styles.train.Render("train") + m.styles.dim.Render(" ") + m.styles.val.Render(m.glyphs.mark+" val") +
		m.styles.dim.Render(fmt.Sprintf("  smooth %g  %s  %s", weights()[m.chart.smooth], word(m.chart.log, "log", "lin"), m.window()))
	if m.chart.crossed {
		right = m.at(w)
	}
	return right, c.Render(width, height)
}

// at are the values under the crosshair.
func (m *Model) at(w *watched) string {
	x := m.chart.cross
	text := fmt.Sprintf("step %.0f", x)
	if col := w.history.Loss().Columns(int64(x)-1, int64(x), 1)[0]; col.N > 0 {
		text += "  loss " + wording.Number(col.Mean)
		if col.Min < col.Max {
			text += fmt.Sprintf(" (%s to %s)", wording.Number(col.Min), wording.Number(col.Max))
		}
	} else if col.Bad > 0 {
		text += "  loss NaN"
	}
	if col := w.history.Rate().Columns(int64(x)-1, int64(x), 1)[0]; col.N > 0 {
		text += "  rate " + wording.Number(col.Mean)
	}
	for _, e := range w.history.Evals() {
		if math.Abs(float64(e.Step)-x) < 1 {
			text += fmt.Sprintf("  val %s  mIoU %.3f", wording.Number(e.Loss), e.MeanIoU)
		}
	}
	return m.styles.strong.Render(text)
}

// curve is a series of steps as a chart of that width wants it.
func (m *Model) curve(s *history.Series, c plot.Chart, width int, line, shade lipgloss.Style) plot.Series {
	n := plot.Samples(width)
	out := plot.Series{Columns: s.Columns(int64(c.From), int64(c.To), n), Band: true, Line: line, Shade: shade}
	if weight := weights()[m.chart.smooth]; weight > 0 {
		out.Smooth = s.Smooth(int64(c.From), int64(c.To), n, weight)
	}
	return out
}

// marks are the evaluations within a chart.
func (m *Model) marks(w *watched, c plot.Chart, value func(history.Eval) float64) []plot.Mark {
	var marks []plot.Mark
	for _, e := range w.history.Evals() {
		if x := float64(e.Step); c.From < x && x <= c.To {
			marks = append(marks, plot.Mark{X: x, Y: value(e)})
		}
	}
	return marks
}

func (m *Model) window() string {
	switch {
	case m.chart.zoomed():
		return fmt.Sprintf("%.0f-%.0f", m.chart.from, m.chart.to)
	case m.chart.recent:
		return "recent"
	}
	return "full"
}

func word(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// scoreChart is mean IoU and pixel accuracy at each evaluation.
func (m *Model) scoreChart(width, height int) (right string, body []string) {
	w := m.run()
	c := m.newChart()
	c.Series = []plot.Series{
		{Name: "accuracy", Marks: m.marks(w, c, func(e history.Eval) float64 { return e.PixelAccuracy }), Connect: true, Line: m.styles.faint},
		{Name: "mIoU", Marks: m.marks(w, c, func(e history.Eval) float64 { return e.MeanIoU }), Connect: true, Line: m.styles.val},
	}
	evals := w.history.Evals()
	if len(evals) == 0 {
		return "", middle([]string{m.styles.dim.Render("no evaluation yet")}, width, height)
	}
	last := evals[len(evals)-1]
	right = m.styles.val.Render(fmt.Sprintf("mIoU %.3f", last.MeanIoU)) + m.styles.dim.Render(fmt.Sprintf("  accuracy %.3f", last.PixelAccuracy))
	if best, ok := w.history.Best(); ok {
		right += m.styles.best.Render(fmt.Sprintf("  best %.3f @%d", best.MeanIoU, best.Step))
	}
	return right, c.Render(width, height)
}

// rateChart is the learning rate as it was, halvings included.
func (m *Model) rateChart(width, height int) (right string, body []string) {
	w := m.run()
	if w.history.Last().Step == 0 {
		return "", middle([]string{m.styles.dim.Render("no step yet")}, width, height)
	}
	c := m.newChart()
	s := plot.Series{Columns: w.history.Rate().Columns(int64(c.From), int64(c.To), plot.Samples(width)), Line: m.styles.train, Shade: m.styles.trainBand}
	c.Series = []plot.Series{s}
	return m.styles.dim.Render(wording.Number(w.history.Last().LR)), c.Render(width, height)
}
