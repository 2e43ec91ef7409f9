package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/score"
)

// Stepper does the work of a run. [Engine] is the one there is; tests have another
// that computes nothing.
type Stepper interface {
	// CompileStep and CompileEval get ready for batches of b's shape. Where that
	// takes work, they first call before with what it is.
	CompileStep(b *datasets.Batch, before Before) error
	// CompileStepAhead gets ready for training steps on batches of b's shape while all other
	// methods are called. It is called after the first Step. If CompileStep is already compiling
	// for the shape it returns at once; CompileStep waits for what CompileStepAhead has begun.
	CompileStepAhead(b *datasets.Batch, before Before) error
	// CompileEval is also called beside Step, and beside what saves, but never beside itself
	// or Eval.
	CompileEval(b *datasets.Batch, before Before) error
	// Compiled returns what was compiled since it was last asked, also while the others go on.
	Compiled() []Compilation
	// Step updates the weights for the at-th time, counted from 0, at rate lr.
	Step(b *datasets.Batch, at int64, lr float64) (StepResult, error)
	// Eval adds a batch's counts to into; it returns the masks only if they are
	// asked for.
	Eval(b *datasets.Batch, into *score.Confusion, masks bool) (EvalResult, error)
}

// Batches is the stream of training batches from a place in it on
// ([datasets.Loader.Batches]).
type Batches func(context.Context, datasets.Cursor) iter.Seq2[*datasets.Batch, error]

// Pass goes once over the batches of an evaluation ([datasets.Evaluation.Pass]).
type Pass func(context.Context) iter.Seq2[*datasets.Batch, error]

// Previewer keeps pictures of what an evaluation predicts.
type Previewer interface {
	Watcher
	// Preview is called after each evaluation with what the pictures show by now. It
	// returns what to tell of them; told is false when there is nothing. Pictures
	// that cannot be kept are no reason to end a run, so there is no error.
	Preview(step int64) (record event.Preview, told bool)
}

// Loop is a run, or one stage of it, from the first step to the last: pure control flow, in which
// everything that takes time or touches the world is handed in.
type Loop struct {
	Stepper Stepper
	Train   Batches
	Val     Pass // nil: the run is never scored
	// StepShapes are those of Train's batches in the order in which they come
	// ([datasets.Loader.ShapesFrom]), and EvalShapes those of Val's ([datasets.Evaluation.Shapes]).
	// The Stepper gets ready for them beside the first steps. nil: only when the first batch of
	// a shape comes.
	StepShapes, EvalShapes []datasets.BatchShape
	Saver                  Saver
	Schedule               func(step int) float64 // the learning rate of a step, counted from 0
	Emit                   func(event.Record)
	Scored                 func(Result) // hears of each evaluation's confusion matrix; nil: nobody does
	Previews               Previewer    // nil: no pictures are kept
	Skips                  Skips        // the account of samples that cannot be used
	Now                    func() time.Time
	// Pause waits, until ctx ends at the latest.
	Pause func(ctx context.Context, d time.Duration)
	// Asked gives the next request of a person, each once, and does not wait for one;
	// nil: nobody asks. It is called between steps. What it still has when Run returns
	// was asked too late.
	Asked func() (r Request, ok bool)

	Classes []string
	// From is the step after which the Stepper's weights began to learn: 0, or in a run
	// of several stages the last step of the stage before. What is saved there is that
	// stage's, and stays so.
	From            int64
	Steps           int64 // updates in the run until this stage ends, and with the last one the run
	SamplesPerEpoch int
	EvalEvery       float64       // steps between evaluations; 0: only at the end
	SaveEvery       int64         // steps between checkpoints, besides those of evaluations; 0: none
	SaveInterval    time.Duration // likewise in time
	// SavePatience is how long checkpoints may fail before the run ends for it; 0: the first
	// that fails ends it.
	SavePatience time.Duration
}

// errDone ends the stream of batches from within.
var errDone = errors.New("all steps are done")

// Run goes on from p to the last step. It returns how far it came; the error is an
// [*InterruptedError] if ctx ended, and a [*DivergedError] if a step gave NaN or Inf.
//
// When ctx ends, the step at hand is finished and saved. A compilation cannot be
// broken off, and is left to itself, also one ahead: whoever closes the Stepper learns of it there. What
// was learned until a sample, an evaluation or a compiler fails is saved too; only what a
// failed step or a NaN has spoilt is not. No checkpoint is under way when Run returns.
func (l *Loop) Run(ctx context.Context, p Progress) (Progress, error) {
	s := &session{Loop: l, Progress: p, kept: keeping{step: p.Step, at: l.Now(), patience: l.SavePatience}}
	err := s.run(ctx)
	cause := context.Cause(ctx)
	stopped := err != nil && cause != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, cause))
	s.ahead.leave()
	if !stopped {
		_ = s.ahead.wait(ctx) // the Stepper is to be closed
	}
	if s.spoilt {
		// What is under way is from before that, and good; nobody may be left writing.
		return s.Progress, errors.Join(err, s.awaitSaved())
	}
	if err != nil {
		if s.left == nil {
			s.answerLast()
		}
		failed := s.keepLast()
		switch {
		case failed == nil:
		case stopped:
			return s.Progress, failed // in good order it was not
		default:
			return s.Progress, errors.Join(err, failed)
		}
	}
	if stopped {
		err = &InterruptedError{Progress: s.Progress, Saved: s.Step > 0, Cause: cause}
	}
	return s.Progress, err
}

// session is a Loop under way.
type session struct {
	*Loop
	Progress
	kept    keeping
	spoilt  bool // the weights are not to be saved any more
	phase   string
	telling time.Duration // what telling of the newest step took
	// left is what is still being compiled, now that the run was stopped meanwhile.
	left *CompilingError
	// ahead is what is compiled beside the steps; nil: nothing yet.
	ahead *ahead
}

func (s *session) run(ctx context.Context) error {
	// A run that was stopped between a step and its evaluation owes it.
	if err := s.evaluateIfDue(ctx); err != nil {
		return err
	}
	waiting := s.Now()
	for b, err := range s.until(s.Skips.batches(s.Train(ctx, s.Cursor), "training", s.Skips.Train)) {
		switch {
		case errors.Is(err, errDone):
			return s.keepEnd(ctx)
		case err != nil:
			return err
		}
		if err := s.step(ctx, b, s.Now().Sub(waiting)); err != nil {
			return err
		}
		if err := s.collectSaved(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.evaluateIfDue(ctx); err != nil {
			return err
		}
		if s.saveIsDue() {
			if err := s.save(); err != nil {
				return err
			}
		}
		if err := s.answer(ctx); err != nil {
			return err
		}
		waiting = s.Now()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the training data ended after step %d of %d", s.Step, s.Steps)
}

// until ends the stream, with errDone, when all steps are done.
func (s *session) until(stream iter.Seq2[*datasets.Batch, error]) iter.Seq2[*datasets.Batch, error] {
	return func(yield func(*datasets.Batch, error) bool) {
		if s.Step >= s.Steps {
			yield(nil, errDone)
			return
		}
		for b, err := range stream {
			if !yield(b, err) {
				return
			}
			if s.Step >= s.Steps {
				yield(nil, errDone)
				return
			}
		}
	}
}

func (s *session) step(ctx context.Context, b *datasets.Batch, wait time.Duration) error {
	if err := s.compiled(compile(ctx, b, s.Stepper.CompileStep, s.compiles)); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.enter(event.PhaseTrain, "")
	begin := s.Now()
	lr := s.scale() * s.Schedule(int(s.Step))
	result, err := s.Stepper.Step(b, s.Step, lr)
	if err != nil {
		s.spoilt = true
		return err
	}
	end := s.Now()
	s.Step++
	s.Cursor = b.Next
	s.kept.unsaved = true
	record := event.Step{
		Head: event.Head{Time: end}, Step: s.Step, Epoch: s.epoch(), Loss: event.Float(result.Loss), LR: lr,
		DataMS: milliseconds(wait), StepMS: milliseconds(end.Sub(begin)), ReadMS: milliseconds(result.Read), TellMS: milliseconds(s.telling),
		Images: b.Count - len(b.Skipped), Skipped: len(b.Skipped),
	}
	if !math.IsNaN(result.GradNorm) {
		norm := event.Float(result.GradNorm)
		record.GradNorm = &norm
	}
	s.Emit(record)
	s.telling = s.Now().Sub(end)
	if err := s.diverged(b, result); err != nil {
		s.spoilt = true
		return err
	}
	s.lookAhead(b.Shape())
	return nil
}

// enter says what the run does from now on, once.
func (s *session) enter(phase, detail string) {
	if phase == s.phase && detail == "" {
		return
	}
	s.phase = phase
	s.Emit(event.Phase{Head: event.Head{Time: s.Now()}, Name: phase, Step: s.Step, Detail: detail})
}

func (s *session) epoch() float64 { return float64(s.Cursor) / float64(s.SamplesPerEpoch) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
