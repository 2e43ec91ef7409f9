package sink

import (
	"fmt"
	"strings"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
)

// This file has the lines that only [Plain] writes; the others are package
// wording's, as are their rules.

func startedLines(r event.Started) string {
	if wording.NextStage(r) {
		return fmt.Sprintf("%s  %s %s  %s weights  from step %d to %d\n", wording.Stage(r),
			wording.Printable(r.Model), wording.Printable(r.Encoder), wording.Millions(r.Params), r.StageFrom, r.StageTo)
	}
	verb := "run"
	if r.Resumed {
		verb = "resumed run"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s  %s %s  %s weights  %d classes  fcnx %s\n",
		verb, wording.Printable(r.Run), wording.Printable(r.Model), wording.Printable(r.Encoder), wording.Millions(r.Params), len(r.Classes), wording.Printable(r.Version))
	fmt.Fprintf(&b, "data %s  train %d  val %d  backend %s", wording.Printable(r.Data), r.Train, r.Val, wording.Printable(r.Backend))
	if r.Plugin != "" {
		fmt.Fprintf(&b, " (%s)", wording.Printable(r.Plugin))
	}
	fmt.Fprintf(&b, "  batch %d  seed %d", r.Batch, r.Seed)
	if r.Resumed {
		fmt.Fprintf(&b, "  from step %d", r.Step)
	}
	if stage := wording.Stage(r); stage != "" {
		fmt.Fprintf(&b, "  %s to step %d", stage, r.StageTo)
	}
	b.WriteByte('\n')
	return b.String()
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
	fmt.Fprintf(&b, "  epoch %.1f  loss %s  lr %.3g", last.Epoch, wording.Number(i.loss/float64(i.steps)), last.LR)
	if total := i.dataMS + i.stepMS; total > 0 {
		fmt.Fprintf(&b, "  %s ms/step (data %.0f%%)  %s images/s",
			threeDigits(total/float64(i.steps)), 100*i.dataMS/total, threeDigits(1000*float64(i.images)/total))
	}
	if left > 0 {
		fmt.Fprintf(&b, "  left %s", wording.WholeSeconds(left))
	}
	b.WriteByte('\n')
	return b.String()
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
