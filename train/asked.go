package train

import (
	"context"
	"fmt"

	"github.com/fcnx/fcnx/train/event"
)

// Request is something that a person asks of a run while it goes on.
type Request struct {
	Action string // event.ActionSave, event.ActionEvaluate or event.ActionHalveLR
	By     string // who asks, for the record
}

// notAnyMore answers who asked for what a run that is stopped has no time for.
const notAnyMore = "not done: the run ends here"

// answer does what was asked since the last step, or tells why not. Once ctx has
// ended the rest is for answerLast.
func (s *session) answer(ctx context.Context) error {
	for s.Asked != nil && ctx.Err() == nil {
		r, ok := s.Asked()
		if !ok {
			return nil
		}
		var err error
		switch {
		case r.Action == event.ActionSave && s.kept.unsaved:
			s.tell(r, "")
			err = s.save()
		case r.Action == event.ActionEvaluate && s.Val != nil && s.Evaluated < s.Step:
			s.tell(r, "")
			err = s.evaluate(ctx)
			if err != nil && ctx.Err() != nil && s.Evaluated < s.Step {
				s.tell(r, notAnyMore)
			}
		default:
			s.settle(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// answerLast is for a run that ends before its last step: nothing but the save that
// is to come is done for anybody any more. A run, or a stage of it, that has no step
// yet keeps nothing, and leaves the requests where they are.
func (s *session) answerLast() {
	for s.Asked != nil && s.Step > s.From {
		r, ok := s.Asked()
		if !ok {
			return
		}
		switch {
		case r.Action == event.ActionSave && s.kept.unsaved:
			s.tell(r, "")
		case r.Action == event.ActionEvaluate && s.Evaluated < s.Step:
			s.tell(r, notAnyMore)
		default:
			s.settle(r)
		}
	}
}

// settle is for requests that need no time.
func (s *session) settle(r Request) {
	switch r.Action {
	case event.ActionSave:
		s.tell(r, fmt.Sprintf("step %d is saved already", s.Step))
	case event.ActionEvaluate:
		if s.Val == nil {
			s.tell(r, "not done: the run has no validation set")
			return
		}
		s.tell(r, fmt.Sprintf("step %d was evaluated already", s.Step))
	case event.ActionHalveLR:
		half := s.scale() / 2
		if half < minRateScale {
			s.tell(r, fmt.Sprintf("not done: the learning rate is %.2g times the schedule's already", s.scale()))
			return
		}
		s.RateScale = half
		s.kept.unsaved = true
		s.tell(r, fmt.Sprintf("learning rate %.4g times the schedule's from here on", half))
	default:
		s.tell(r, "not done: this version of fcnx does not know what that is")
	}
}

func (s *session) tell(r Request, text string) {
	s.Emit(event.Action{Head: event.Head{Time: s.Now()}, Step: s.Step, Name: r.Action, By: r.By, Text: text})
}
