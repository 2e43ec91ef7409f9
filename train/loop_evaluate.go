package train

import (
	"context"
	"iter"
	"math"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/score"
)

// evaluateIfDue scores the weights in the rhythm of the run, and the last ones
// whatever the rhythm says.
func (s *session) evaluateIfDue(ctx context.Context) error {
	if s.Val == nil || s.Evaluated >= s.Step {
		return nil
	}
	last := s.Step >= s.Steps
	due := s.EvalEvery > 0 && s.evaluationsBy(s.Step) > s.evaluationsBy(s.Step-1)
	if !last && !due {
		return nil
	}
	return s.evaluate(ctx)
}

// evaluationsBy counts those that are due until a step. The interval is a product
// of floats as a rule, and 0.07 epochs of 100 steps are a little more than 7.
func (s *session) evaluationsBy(step int64) int64 {
	return int64(float64(step)/s.EvalEvery + 1e-9)
}

// evaluate scores the weights, and saves them: an evaluation is worth keeping.
func (s *session) evaluate(ctx context.Context) error {
	if err := s.compiled(s.awaitAhead(ctx)); err != nil {
		return err
	}
	begin := s.Now()
	s.enter(event.PhaseEval, "")
	result, err := Evaluate(ctx, scorer{s.Stepper, s}, s.scored, len(s.Classes), s.Previews, s.compiles)
	if err := s.compiled(err); err != nil {
		return err
	}
	s.Evaluated = s.Step
	s.kept.unsaved = true
	record := result.Record(s.Classes)
	record.Head = event.Head{Time: s.Now()}
	record.Step, record.Epoch, record.Seconds = s.Step, s.epoch(), s.Now().Sub(begin).Seconds()
	if iou := float64(record.MeanIoU); !math.IsNaN(iou) && (s.BestStep == 0 || iou > s.BestIoU) {
		s.BestIoU, s.BestStep, record.Best = iou, s.Step, true
	}
	s.Emit(record)
	if s.Scored != nil {
		s.Scored(result)
	}
	if s.Previews != nil {
		if record, told := s.Previews.Preview(s.Step); told {
			record.Head, record.Step = event.Head{Time: s.Now()}, s.Step
			s.Emit(record)
		}
	}
	return s.save()
}

// scored is a pass over the validation set, with an eye on what is skipped.
func (s *session) scored(ctx context.Context) iter.Seq2[*datasets.Batch, error] {
	return s.Skips.batches(s.Val(ctx), "validation", s.Skips.Val)
}

// scorer is a Stepper that tells of a compilation, and when it goes on to score after it.
type scorer struct {
	Stepper
	session *session
}

func (s scorer) Eval(b *datasets.Batch, into *score.Confusion, masks bool) (EvalResult, error) {
	s.session.tellCompiled()
	s.session.enter(event.PhaseEval, "")
	return s.Stepper.Eval(b, into, masks)
}
