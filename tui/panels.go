package tui

import (
	"fmt"

	"charm.land/lipgloss/v2"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui/plot"
)

// stepSplit says where the time of a step goes, how fast that is, and what it takes
// of the machine.
func (m *Model) stepSplit(width, height int) (title, right string, body []string) {
	w := m.run()
	s := w.history.Split()
	title = "Step"
	if s.Total > 0 {
		title = "Step " + wording.Number(s.Total) + " ms"
	}
	started, _ := w.history.Started()
	names := []string{"data", "device", "read", "tell"}
	values := []float64{s.Data, s.Device, s.Read, s.Tell}
	var parts []plot.Part
	legend := ""
	for i, name := range names {
		share := 0.0
		if s.Total > 0 {
			share = values[i] / s.Total
		}
		parts = append(parts, plot.Part{Fraction: share, Style: m.styles.split[i]})
		legend += m.styles.split[i].Render(name) + " " + fitRight(share100(share), 5) + "  "
	}
	last := w.history.Last()
	if last.Step > 0 {
		body = append(body, plot.Stack(width, parts, m.ascii), legend)
		body = append(body, pack(width, wording.Number(s.ImagesPerSecond)+" images/s", "rate "+wording.Number(last.LR), fmt.Sprintf("batch %d", started.Batch))...)
		if share, ok := w.history.DataWait(); ok && share > wording.MuchDataWait {
			body = append(body, pack(width, m.styles.warn.Render("waited "+share100(share)+" of it for data"), "try data.pack, data.cache or data.workers")...)
		}
	}
	if sys, ok := w.history.System(); ok {
		body = append(body, pack(width, "memory "+wording.Bytes(sys.RSS)+" of "+wording.Bytes(sys.Memory),
			fmt.Sprintf("cpu %3.0f%% of %s", sys.CPUPercent, plural(int64(sys.Cores), "core")), wording.Bytes(sys.Disk)+" of disk free")...)
		for _, g := range sys.GPUs {
			body = append(body, m.gpu(g, width))
		}
	}
	if last.GradNorm != nil {
		body = append(body, "gradient norm "+wording.Number(float64(*last.GradNorm)))
	}
	return title, "", body
}

// pack writes items into as few lines as hold them whole.
func pack(width int, items ...string) []string {
	const gap = "   "
	var lines []string
	for _, item := range items {
		if n := len(lines); n > 0 && visible(lines[n-1])+len(gap)+visible(item) <= width {
			lines[n-1] += gap + item
		} else {
			lines = append(lines, item)
		}
	}
	return lines
}

// share100 keeps a small share from looking like none.
func share100(v float64) string {
	switch {
	case v > 0 && v < 0.001:
		return "<0.1%"
	case v < 0.1:
		return fmt.Sprintf("%.1f%%", 100*v)
	}
	return fmt.Sprintf("%.0f%%", 100*v)
}

func (m *Model) gpu(g event.GPU, width int) string {
	text := fmt.Sprintf(" %3.0f%%  %s of %s", g.Utilization, wording.Bytes(g.Used), wording.Bytes(g.Memory))
	if g.Watts > 0 {
		text += fmt.Sprintf("  %.0f W", g.Watts)
	}
	if g.Celsius > 0 {
		text += fmt.Sprintf("  %.0f C", g.Celsius)
	}
	bar := max(min(width-visible(g.Name)-visible(text)-1, 20), 0)
	return wording.Printable(g.Name) + " " + m.styles.train.Render(plot.Bar(bar, g.Utilization/100, m.ascii)) + text
}

// checkpoints lists what is safely on disk, the newest first.
func (m *Model) checkpoints(width, height int) (right string, body []string) {
	w := m.run()
	saved := w.history.Saved()
	if len(saved) == 0 {
		return "", middle([]string{m.styles.dim.Render("nothing is saved yet")}, width, height)
	}
	best, hasBest := w.history.Best()
	for i := len(saved) - 1; i >= 0 && len(body) < height; i-- {
		s := saved[i]
		mark := "  "
		if hasBest && s.Step == best.Step {
			mark = m.styles.best.Render(m.glyphs.star) + " "
		}
		line := mark + fmt.Sprintf("step %-*d  %s  %s in %s", 9, s.Step, m.styles.dim.Render(s.Time.In(m.options.Zone).Format("15:04:05")), wording.Bytes(s.Bytes), wording.Seconds(s.Seconds))
		for _, e := range w.history.Evals() {
			if e.Step == s.Step {
				line += fmt.Sprintf("  mIoU %.3f", e.MeanIoU)
			}
		}
		body = append(body, line)
	}
	if hasBest {
		right = fmt.Sprintf("%s best: step %d", m.glyphs.star, best.Step)
	}
	return right, body
}

// logTail is the newest lines, the last at the bottom.
func (m *Model) logTail(width, height int) (right string, body []string) {
	w := m.run()
	lines := w.history.Log()
	m.logTop = min(m.logTop, max(0, len(lines)-height))
	end := len(lines) - m.logTop
	var out []string
	for i := end - 1; i >= 0 && len(out) < height; i-- {
		line := lines[i]
		style := lipgloss.NewStyle()
		switch line.Level {
		case event.LevelWarning:
			style = m.styles.warn
		case event.LevelError:
			style = m.styles.alarm
		}
		out = append(out, m.styles.dim.Render(line.Time.In(m.options.Zone).Format("15:04:05"))+" "+style.Render(line.Text))
	}
	for i := len(out) - 1; i >= 0; i-- {
		body = append(body, out[i])
	}
	if m.logTop > 0 {
		right = fmt.Sprintf("%d newer below", m.logTop)
	} else if w.bad > 0 {
		right = wording.Printable(fmt.Sprintf("%d lines of events.jsonl cannot be read", w.bad))
	}
	return right, body
}
