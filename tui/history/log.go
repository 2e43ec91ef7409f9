package history

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fcnx/fcnx/train/event"
)

const (
	maxLines = 1000
	maxText  = 1000 // bytes of a line: more than any screen is wide
)

// say adds a line to the log.
func (r *Run) say(at time.Time, level, text string) {
	r.log = append(r.log, Line{at, level, printable(text)})
	if len(r.log) >= 2*maxLines {
		r.log = append(r.log[:0:0], r.log[len(r.log)-maxLines:]...)
	}
	r.versions.Log++
}

// Log is the newest 1000 lines, the oldest first. The caller only reads them, until
// the next Add.
func (r *Run) Log() []Line { return r.log[max(0, len(r.log)-maxLines):] }

// The wording is that of train/sink's plain lines, shorter where a screen shows the
// rest anyway.

func startedText(r event.Started) string {
	if r.Resumed {
		return fmt.Sprintf("resumed at step %d  fcnx %s  process %d", r.Step, r.Version, r.PID)
	}
	return fmt.Sprintf("run %s  fcnx %s  process %d", r.Run, r.Version, r.PID)
}

func phaseText(r event.Phase) string {
	verb := "compiling"
	if r.Name == event.PhaseLoad {
		verb = "loading"
	}
	return strings.TrimSpace(verb + " " + r.Detail)
}

func evalText(r event.Eval) string {
	return fmt.Sprintf("eval at step %d  mIoU %.4f  accuracy %.4f  loss %s  %d images in %s%s",
		r.Step, float64(r.MeanIoU), float64(r.PixelAccuracy), lossText(float64(r.Loss)), r.Samples, seconds(r.Seconds), bestText(r.Best))
}

func savedText(r event.Saved) string {
	return fmt.Sprintf("saved %s  %.1f MiB in %s%s", r.Path, float64(r.Bytes)/(1<<20), seconds(r.Seconds), bestText(r.Best))
}

func bestText(best bool) string {
	if best {
		return "  best"
	}
	return ""
}

func noteText(r event.Note) string {
	if r.Level == event.LevelInfo || r.Level == "" {
		return r.Text
	}
	return r.Level + ": " + r.Text
}

// noteLevel is one of the three that there are: what else a file says is no reason
// to worry anyone.
func noteLevel(level string) string {
	if level == event.LevelWarning || level == event.LevelError {
		return level
	}
	return event.LevelInfo
}

func actionText(r event.Action) string {
	text := "asked to " + strings.ReplaceAll(r.Name, "_", " ")
	switch r.Name {
	case event.ActionEvaluate, event.ActionSave, event.ActionStop:
	case event.ActionHalveLR:
		text = "asked to halve the learning rate"
	}
	if r.Text != "" {
		text += ": " + r.Text
	}
	if r.By != "" {
		text += "  (" + r.By + ")"
	}
	return text
}

func finishedText(r event.Finished) string {
	text := fmt.Sprintf("%s at step %d after %s", r.Reason, r.Step, seconds(r.Seconds))
	if r.BestIoU != nil {
		text += fmt.Sprintf("  best mIoU %.4f at step %d", float64(*r.BestIoU), r.BestStep)
	}
	if r.Error != "" {
		text += "  " + r.Error
	}
	return text
}

// lossText has four decimals where they say something.
func lossText(loss float64) string {
	if magnitude := math.Abs(loss); magnitude != 0 && (magnitude < 0.001 || magnitude >= 1000) {
		return fmt.Sprintf("%.4g", loss)
	}
	return fmt.Sprintf("%.4f", loss)
}

// seconds is a time in its two largest units: 0.3s, 12s, 4m10s, 2h05m.
func seconds(s float64) string {
	const minute, hour = 60, 60 * 60
	if !(s < 1e12) { // NaN too
		return "?"
	}
	switch whole := int64(math.Round(max(s, 0))); {
	case s < 10:
		return fmt.Sprintf("%.1fs", s)
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
// or change a colour, and no longer than anyone reads.
func printable(text string) string {
	cut := len(text) > maxText
	if cut {
		end := maxText
		for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, text)
	if cut {
		text += "…"
	}
	return text
}
