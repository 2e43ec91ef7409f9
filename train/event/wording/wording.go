// Package wording says what a run says, package event's records, in words and
// figures for people: the same in a terminal, in a log and on the dashboard.
//
// Its rules: a line is one line, values stand behind their names, two spaces
// between them; text that came from elsewhere goes through [Printable].
package wording

import (
	"fmt"
	"strings"

	"github.com/fcnx/fcnx/train/event"
)

// Lost is what there is to say of a process that had no time to say it: kill -9,
// power, memory.
const Lost = "the process ended without a word"

// Phase is, say, "compiling training step 8x192x256".
func Phase(r event.Phase) string {
	verb := Printable(r.Name)
	switch r.Name {
	case event.PhaseLoad:
		verb = "loading"
	case event.PhaseCompile:
		verb = "compiling"
	case event.PhaseTrain:
		verb = "training"
	case event.PhaseEval:
		verb = "evaluating"
	case event.PhaseSave:
		verb = "saving"
	}
	return strings.TrimSpace(verb + " " + Printable(r.Detail))
}

// Compiled is, say, "compiled training step 8x192x256 in 5.5s, needs 1.9 GB".
func Compiled(r event.Compiled) string {
	line := "compiled " + Printable(r.What) + " in " + Seconds(r.Seconds)
	if r.Background {
		line += " beside training"
	}
	if r.Memory != nil {
		line += ", needs " + Bytes(r.Memory.Needed())
	}
	return line
}

// Stage is, say, "stage 2/3 fcn16s"; empty in a run of one.
func Stage(r event.Started) string {
	if r.Stages < 2 {
		return ""
	}
	return fmt.Sprintf("stage %d/%d %s", r.Stage, r.Stages, Printable(r.StageName))
}

// NextStage tells whether a process that was under way comes to another stage: one
// of its own beginning has said before all that stays.
func NextStage(r event.Started) bool { return r.Stage > 1 && !r.Resumed }

// MuchDataWait is the share of the steps' time from which on waiting for data is worth doing
// something about.
const MuchDataWait = 0.02

// DataWait is, say, "1.2% of the steps' time"; where that is much, with what helps.
func DataWait(share float64) string {
	text := fmt.Sprintf("%.1f%% of the steps' time", 100*share)
	if share > MuchDataWait {
		text += ": data.pack (or fcnx data pack) decodes each sample once, data.cache keeps them in memory, data.workers decodes more at a time"
	}
	return text
}

// Eval is, say,
//
//	eval at step 250  mIoU 0.5530  accuracy 0.8683  loss 0.3937  100 images in 1.0s  best
func Eval(r event.Eval) string {
	return fmt.Sprintf("eval at step %d  mIoU %.4f  accuracy %.4f  loss %s  %d images in %s%s",
		r.Step, r.MeanIoU, r.PixelAccuracy, Number(float64(r.Loss)), r.Samples, Seconds(r.Seconds), best(r.Best))
}

// Saved is, say, "saved step-000000000250  11.3 MB in 0.2s  best".
func Saved(r event.Saved) string {
	return fmt.Sprintf("saved %s  %s in %s%s", Printable(r.Path), Bytes(r.Bytes), Seconds(r.Seconds), best(r.Best))
}

func best(yes bool) string {
	if yes {
		return "  best"
	}
	return ""
}

// Note is its text, with the level in front where it is more than information.
func Note(r event.Note) string {
	if r.Level == event.LevelInfo || r.Level == "" {
		return Printable(r.Text)
	}
	return Printable(r.Level) + ": " + Printable(r.Text)
}

// Action is, say,
//
//	asked to save: step 120 is saved already  (watch, process 4711 on host)
func Action(r event.Action) string {
	line := "asked to " + Printable(strings.ReplaceAll(r.Name, "_", " "))
	if r.Name == event.ActionHalveLR {
		line = "asked to halve the learning rate"
	}
	if text := Printable(r.Text); text != "" {
		line += ": " + text
	}
	if by := Printable(r.By); by != "" {
		line += "  (" + by + ")"
	}
	return line
}

// Finished is, say, "done at step 1500 after 2m03s  best mIoU 0.8703 at step 1500".
func Finished(r event.Finished) string {
	line := fmt.Sprintf("%s at step %d after %s", Printable(r.Reason), r.Step, Seconds(r.Seconds))
	if r.BestIoU != nil {
		line += fmt.Sprintf("  best mIoU %.4f at step %d", *r.BestIoU, r.BestStep)
	}
	if text := Printable(r.Error); text != "" {
		line += "  " + text
	}
	return line
}
