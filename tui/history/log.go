package history

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
)

const (
	maxLines = 1000
	maxText  = 1000 // bytes of a line: more than any screen is wide
)

// say adds a line to the log. It is printable already.
func (r *Run) say(at time.Time, level, text string) {
	r.log = append(r.log, Line{at, level, cut(text)})
	if len(r.log) >= 2*maxLines {
		r.log = append(r.log[:0:0], r.log[len(r.log)-maxLines:]...)
	}
	r.versions.Log++
}

// Log is the newest 1000 lines, the oldest first. The caller only reads them, until
// the next Add.
func (r *Run) Log() []Line { return r.log[max(0, len(r.log)-maxLines):] }

// cut is a line that is no longer than anyone reads.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// startedText is shorter than the plain lines, as the screen shows the rest anyway.
func startedText(r event.Started) string {
	stage := ""
	if text := wording.Stage(r); text != "" {
		stage = "  " + text
	}
	if wording.NextStage(r) {
		return fmt.Sprintf("%s  from step %d to %d", wording.Stage(r), r.StageFrom, r.StageTo)
	}
	if r.Resumed {
		return fmt.Sprintf("resumed at step %d%s  fcnx %s  process %d", r.Step, stage, wording.Printable(r.Version), r.PID)
	}
	return fmt.Sprintf("run %s%s  fcnx %s  process %d", wording.Printable(r.Run), stage, wording.Printable(r.Version), r.PID)
}

// noteLevel is one of the three that there are: what else a file says is no reason
// to worry anyone.
func noteLevel(level string) string {
	if level == event.LevelWarning || level == event.LevelError {
		return level
	}
	return event.LevelInfo
}
