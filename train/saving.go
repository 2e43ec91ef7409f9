package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// Saver keeps what a run needs to go on from p.
type Saver interface {
	// Save takes the present state off the device, and returns when training may go on.
	// The Saving that it returns has succeeded when the checkpoint is safely on disk. It
	// fails with a [*DivergedError] where the state has NaN or Inf in it, and whatever it
	// fails with, the older checkpoints are kept. The Loop has never more than one under
	// way.
	Save(p Progress, epoch float64) *Saving
}

// Saving is a checkpoint on its way to the disk.
type Saving struct {
	done   chan struct{}
	record event.Saved
	err    error
}

// SaveHere writes before it returns.
func SaveHere(write func() (event.Saved, error)) *Saving {
	s := &Saving{done: make(chan struct{})}
	s.record, s.err = write()
	close(s.done)
	return s
}

// SaveBehind writes while training goes on.
func SaveBehind(write func() (event.Saved, error)) *Saving {
	s := &Saving{done: make(chan struct{})}
	go func() {
		s.record, s.err = write()
		close(s.done)
	}()
	return s
}

// saveAgain is how long a save that failed is not tried again.
const saveAgain = 10 * time.Second

// keeping is how it stands with the checkpoints of a session.
type keeping struct {
	unsaved bool      // something happened since the newest checkpoint, or that one failed
	step    int64     // of the newest checkpoint that is on disk
	at      time.Time // when the newest was begun

	under     *Saving // way; nil: none
	underStep int64
	held      time.Duration // how long training has stood still for it

	patience time.Duration // with checkpoints that fail

	failing time.Time // since when checkpoints fail; zero: they do not
	failure error     // of the last one that did
	again   time.Time // not before
}

func (s *session) saveIsDue() bool {
	switch now := s.Now(); {
	case !s.kept.failing.IsZero():
		return s.kept.under == nil && !now.Before(s.kept.again)
	case s.SaveEvery > 0 && s.Step%s.SaveEvery == 0:
		return true
	default:
		return s.SaveInterval > 0 && now.Sub(s.kept.at) >= s.SaveInterval
	}
}

// save begins to keep the present state, unless it is kept already. It waits for the
// checkpoint before, if that is still on its way: then training is faster than the disk.
func (s *session) save() error {
	if !s.kept.unsaved {
		return nil
	}
	s.enter(event.PhaseSave, "")
	if err := s.endure(s.awaitSaved()); err != nil {
		return err
	}
	begin := s.Now()
	s.kept.under, s.kept.underStep = s.Saver.Save(s.Progress, s.epoch()), s.Step
	s.kept.at = s.Now()
	s.kept.held = s.kept.at.Sub(begin)
	s.kept.unsaved = false
	return s.collectSaved()
}

// collectSaved looks whether the checkpoint under way is on disk by now.
func (s *session) collectSaved() error {
	if s.kept.under == nil {
		return nil
	}
	select {
	case <-s.kept.under.done:
		return s.endure(s.landed())
	default:
		return nil
	}
}

// awaitSaved waits until it is. Its error is that of the checkpoint.
func (s *session) awaitSaved() error {
	if s.kept.under == nil {
		return nil
	}
	begin := s.Now()
	<-s.kept.under.done
	s.kept.held += s.Now().Sub(begin)
	return s.landed()
}

// landed tells what became of the checkpoint that was under way.
func (s *session) landed() error {
	record, err, step := s.kept.under.record, s.kept.under.err, s.kept.underStep
	s.kept.under = nil
	if lost := (*DivergedError)(nil); errors.As(err, &lost) {
		s.spoilt = true
		return &DivergedError{Step: step, What: lost.What, LastGood: s.kept.step, Retries: s.Retries}
	}
	if err != nil {
		s.kept.unsaved, s.kept.failure = true, err
		return err
	}
	if !s.kept.failing.IsZero() {
		s.kept.failing = time.Time{}
		s.note(event.LevelInfo, "checkpoints are kept again")
	}
	s.kept.step = step
	record.Head, record.Step, record.HeldSeconds = event.Head{Time: s.Now()}, step, s.kept.held.Seconds()
	s.Emit(record)
	return nil
}

// endure lets a run go on whose checkpoint failed, as far as its patience goes: a disk that
// was full for a minute should not cost a run, and a run should not go on for days that
// nobody will ever see.
func (s *session) endure(err error) error {
	if err == nil || s.spoilt {
		return err
	}
	now := s.Now()
	first := s.kept.failing.IsZero()
	if first {
		s.kept.failing = now
	}
	if now.Sub(s.kept.failing) >= s.kept.patience {
		s.spoilt = true // or saved no better a second time
		return err
	}
	s.kept.again = now.Add(saveAgain)
	if first {
		s.note(event.LevelWarning, fmt.Sprintf("%v. The run goes on and tries again every %v; if that fails for %v, it ends",
			err, saveAgain, s.kept.patience))
	}
	return nil
}

// keepEnd saves the end of the run and waits until it is on disk, however often that has
// to be tried: no later checkpoint could make up for it.
func (s *session) keepEnd(ctx context.Context) error {
	for s.kept.unsaved || s.kept.under != nil {
		if err := s.save(); err != nil {
			return err
		}
		if err := s.endure(s.awaitSaved()); err != nil {
			return err
		}
		if s.kept.unsaved {
			if s.Pause(ctx, saveAgain); ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

// keepLast is for a run that ends before its last step, and has no time to be patient. What
// is under way may fail; it is tried once more, with all there is by now. Only while the
// Stepper compiles it cannot be asked for that.
func (s *session) keepLast() error {
	s.kept.patience = 0
	if err := s.awaitSaved(); s.spoilt {
		return err
	}
	if s.left != nil && s.kept.unsaved {
		return s.kept.failure
	}
	if err := s.save(); err != nil {
		return err
	}
	return s.awaitSaved()
}

func (s *session) note(level, text string) {
	s.Emit(event.Note{Head: event.Head{Time: s.Now()}, Step: s.Step, Level: level, Text: text})
}
