package sink

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"github.com/fcnx/fcnx/train/event"
)

// This file is the wording of [Plain]. Its rules: a line is one line, values stand
// behind their names, two spaces between them; text that came from elsewhere goes
// through printable.

func startedLines(r event.Started) string {
	verb := "run"
	if r.Resumed {
		verb = "resumed run"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s  %s %s  %.1f M weights  %d classes  fcnx %s\n",
		verb, printable(r.Run), printable(r.Model), printable(r.Encoder), float64(r.Params)/1e6, len(r.Classes), printable(r.Version))
	fmt.Fprintf(&b, "data %s  train %d  val %d  backend %s", printable(r.Data), r.Train, r.Val, printable(r.Backend))
	if r.Plugin != "" {
		fmt.Fprintf(&b, " (%s)", printable(r.Plugin))
	}
	fmt.Fprintf(&b, "  batch %d  seed %d", r.Batch, r.Seed)
	if r.Resumed {
		fmt.Fprintf(&b, "  from step %d", r.Step)
	}
	b.WriteByte('\n')
	return b.String()
}

func phaseLine(verb, detail string) string {
	if detail != "" {
		verb += " " + printable(detail)
	}
	return verb + "\n"
}

// stepLine is, say,
//
//	step 120/1840  epoch 2.6  loss 0.8123  lr 0.049  231 ms/step (data 1%)  34.6 images/s  left 4m10s
func stepLine(i interval, last event.Step, steps int64, left float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "step %d", last.Step)
	if steps > 0 {
		fmt.Fprintf(&b, "/%d", steps)
	}
	fmt.Fprintf(&b, "  epoch %.1f  loss %s  lr %.3g", last.Epoch, lossText(i.loss/float64(i.steps)), last.LR)
	if total := i.dataMS + i.stepMS; total > 0 {
		fmt.Fprintf(&b, "  %s ms/step (data %.0f%%)  %s images/s",
			threeDigits(total/float64(i.steps)), 100*i.dataMS/total, threeDigits(1000*float64(i.images)/total))
	}
	if left > 0 {
		fmt.Fprintf(&b, "  left %s", span(left))
	}
	b.WriteByte('\n')
	return b.String()
}

func evalLine(r event.Eval) string {
	best := ""
	if r.Best {
		best = "  best"
	}
	return fmt.Sprintf("eval at step %d  mIoU %.4f  accuracy %.4f  loss %s  %d images in %s%s\n",
		r.Step, r.MeanIoU, r.PixelAccuracy, lossText(float64(r.Loss)), r.Samples, seconds(r.Seconds), best)
}

func savedLine(r event.Saved) string {
	best := ""
	if r.Best {
		best = "  best"
	}
	return fmt.Sprintf("saved %s  %.1f MiB in %s%s\n", printable(r.Path), float64(r.Bytes)/(1<<20), seconds(r.Seconds), best)
}

func noteLine(r event.Note) string {
	if r.Level == event.LevelInfo || r.Level == "" {
		return printable(r.Text) + "\n"
	}
	return printable(r.Level) + ": " + printable(r.Text) + "\n"
}

// actionLine is, say,
//
//	save asked by watch, process 4711 on host: step 120 is saved already
func actionLine(r event.Action) string {
	line := fmt.Sprintf("%s asked by %s", printable(r.Name), printable(r.By))
	if r.Text != "" {
		line += ": " + printable(r.Text)
	}
	return line + "\n"
}

func finishedLine(r event.Finished) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at step %d after %s", printable(r.Reason), r.Step, seconds(r.Seconds))
	if r.BestIoU != nil {
		fmt.Fprintf(&b, "  best mIoU %.4f at step %d", *r.BestIoU, r.BestStep)
	}
	if r.Error != "" {
		fmt.Fprintf(&b, "  %s", printable(r.Error))
	}
	b.WriteByte('\n')
	return b.String()
}

// lossText has four decimals where they say something: a mean loss is about one,
// a sum over pixels is about a million.
func lossText(loss float64) string {
	if magnitude := math.Abs(loss); magnitude != 0 && (magnitude < 0.001 || magnitude >= 1000) {
		return fmt.Sprintf("%.4g", loss)
	}
	return fmt.Sprintf("%.4f", loss)
}

// threeDigits never has an exponent, and no more decimals than it needs for three
// digits.
func threeDigits(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// seconds is a span that may be short: 0.3s, 4m10s.
func seconds(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.1fs", s)
	}
	return span(s)
}

// span is a time of s seconds in its two largest units: 2h05m, 4m10s, 12s.
func span(s float64) string {
	if !(s < 1e12) { // NaN too
		return "?"
	}
	const minute, hour = 60, 60 * 60
	switch whole := int64(math.Round(s)); {
	case whole >= hour:
		minutes := (whole + minute/2) / minute
		return fmt.Sprintf("%dh%02dm", minutes/60, minutes%60)
	case whole >= minute:
		return fmt.Sprintf("%dm%02ds", whole/minute, whole%minute)
	default:
		return fmt.Sprintf("%ds", whole)
	}
}

// printable makes one line of text, without a character that would move a cursor
// or change a colour.
func printable(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
