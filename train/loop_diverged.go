package train

import (
	"fmt"
	"math"
	"strings"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/event"
)

// namedSamples is how many samples of a batch an error names.
const namedSamples = 8

// diverged is the error of a step on b that gave NaN or Inf; nil of one that did not.
func (s *session) diverged(b *datasets.Batch, r StepResult) error {
	lost := &DivergedError{Step: s.Step, Where: r.Where, Retries: s.Retries}
	switch {
	case !isFinite(r.Loss):
		lost.What = fmt.Sprintf("the loss is %v", r.Loss)
	case r.Spoilt && math.IsNaN(r.GradNorm):
		lost.What = "the updated weights hold NaN or Inf"
	case r.Spoilt:
		lost.What = fmt.Sprintf("the updated weights hold NaN or Inf, at a gradient norm of %.3g", r.GradNorm)
	default:
		return nil
	}
	if lost.Where != "" && len(b.IDs) > 0 {
		lost.Where += "; samples " + listed(b.IDs)
	}
	err := s.awaitSaved()
	if s.spoilt {
		return err // what was being saved is bad already
	}
	if err != nil {
		s.note(event.LevelWarning, err.Error()) // nothing will try it again
	}
	lost.LastGood = s.kept.step
	return lost
}

// listed names the first few of some samples.
func listed(ids []string) string {
	text := strings.Join(ids[:min(len(ids), namedSamples)], ", ")
	if more := len(ids) - namedSamples; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
