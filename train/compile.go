package train

import (
	"context"
	"errors"
	"time"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/event"
)

// CompilingError says that a run was stopped while a graph was being compiled. That
// cannot be broken off, so it still goes on: nothing may be asked of the Stepper any more
// but, of an [Engine], whether it can be closed.
type CompilingError struct {
	What  string
	cause error
}

func (e *CompilingError) Error() string { return e.cause.Error() + " while compiling the " + e.What }
func (e *CompilingError) Unwrap() error { return e.cause }

// compile gets ready for batches of b's shape by the method get of a [Stepper]. Before that
// takes work, before is called with what it is, unless it is nil; from then on the end of
// ctx is not waited for any longer, and the error is a [*CompilingError].
func compile(ctx context.Context, b *datasets.Batch, get func(*datasets.Batch, Before) error, before Before) error {
	begins, goOn, done := make(chan string), make(chan error), make(chan error, 1)
	go func() {
		done <- get(b, func(what string) error {
			begins <- what
			return <-goOn
		})
	}()
	select {
	case err := <-done:
		return err
	case what := <-begins:
		err := before.call(what)
		if err == nil {
			err = ctx.Err()
		}
		goOn <- err
		if err != nil {
			return <-done
		}
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return &CompilingError{what, ctx.Err()}
		}
	}
}

// Compilation is one graph that was compiled.
type Compilation struct {
	What   string        // "training step 8x192x256"
	Took   time.Duration // to build the graph and to compile it
	Memory *Memory       // nil: the backend does not tell ([ErrNoMemoryStats])
}

// Before hears of a compilation before it begins, as in "training step 8x192x256". Its
// error keeps it from beginning. A nil one hears nothing.
type Before func(what string) error

func (b Before) call(what string) error {
	if b == nil {
		return nil
	}
	return b(what)
}

// compiles is called before a compilation. What was learned so far is then on its way to
// the disk: a run that is stopped in the middle of it has nothing left to save.
func (s *session) compiles(what string) error {
	err := s.save()
	s.enter(event.PhaseCompile, what)
	return err
}

// compiled is called with what came of it, and tells what was compiled.
func (s *session) compiled(err error) error {
	if !errors.As(err, &s.left) { // else nothing may be asked of the Stepper
		s.tellCompiled()
	}
	return err
}

func (s *session) tellCompiled() {
	for _, c := range s.Stepper.Compiled() {
		s.Emit(event.Compiled{
			Head: event.Head{Time: s.Now()}, Step: s.Step, What: c.What, Seconds: c.Took.Seconds(), Background: s.ahead.has(c.What), Memory: c.Memory,
		})
	}
}
