package train

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fcnx/fcnx/datasets"
)

// ahead are graphs that are compiled while the run takes its first steps: the training steps
// of other shapes of batch, and the evaluation's. It is no different from compiling them later but
// for the time: where it fails, nobody hears of it before the step or the evaluation tries again.
type ahead struct {
	first chan struct{} // closed when the first compilation begins
	over  chan struct{} // closed when there is nothing more to compile

	left atomic.Bool // nobody wants what is not begun yet

	mu      sync.Mutex
	begun   []string // what is being compiled, or was
	current string   // what was begun last
}

// pending gets ready for batches of a shape by the method get of a [Stepper].
type pending struct {
	shape datasets.BatchShape
	get   func(*datasets.Batch, Before) error
}

// lookAhead begins to compile for what is coming, one after the other. It returns when the
// first compilation is begun.
func lookAhead(all []pending) *ahead {
	a := &ahead{first: make(chan struct{}), over: make(chan struct{})}
	go func() {
		defer close(a.over)
		for _, p := range all {
			if a.left.Load() {
				return
			}
			before := len(a.begun) // written by nobody else
			if p.get(p.shape.Blank(), a.begins) != nil {
				a.keep(before)
			}
		}
	}()
	select {
	case <-a.first:
	case <-a.over:
	}
	return a
}

// begins refuses where nobody wants it any more: the Stepper may be closed by now.
func (a *ahead) begins(what string) error {
	if a.left.Load() {
		return errLeft
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == "" {
		close(a.first)
	}
	a.begun, a.current = append(a.begun, what), what
	return nil
}

var errLeft = errors.New("the run is over")

// keep forgets all but the first n that were begun: what failed was not compiled ahead.
func (a *ahead) keep(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begun = a.begun[:n]
}

// has tells whether what was compiled ahead; of a nil one nothing was.
func (a *ahead) has(what string) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.begun, what)
}

// now is what is being compiled.
func (a *ahead) now() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current
}

// lookAhead begins to compile for the steps and the evaluations that are to come, once there
// was a step, on a batch of shape done: before, it would only take the machine from the
// compilation that the step waits for.
func (s *session) lookAhead(done datasets.BatchShape) {
	if s.ahead != nil {
		return
	}
	var all []pending
	for _, shape := range s.StepShapes {
		if shape != done {
			all = append(all, pending{shape, s.Stepper.CompileStepAhead})
		}
	}
	if s.Val != nil {
		for _, shape := range s.EvalShapes {
			all = append(all, pending{shape, s.Stepper.CompileEval})
		}
	}
	s.ahead = lookAhead(all)
}

// awaitAhead waits for all that is compiled ahead, as for any compilation: also for training
// steps, which are wanted soon, and are a few.
func (s *session) awaitAhead(ctx context.Context) error {
	if s.ahead.isOver() {
		return nil
	}
	if err := s.compiles(s.ahead.now()); err != nil {
		return err
	}
	return s.ahead.wait(ctx)
}

// isOver tells whether there is nothing more to compile, as of a nil one. Until it is,
// something was begun.
func (a *ahead) isOver() bool {
	return a == nil || isClosed(a.over)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// wait ends with a [*CompilingError] where ctx does.
func (a *ahead) wait(ctx context.Context) error {
	if a.isOver() {
		return nil
	}
	select {
	case <-a.over:
		return nil
	case <-ctx.Done():
		return &CompilingError{a.now(), ctx.Err()}
	}
}

// leave lets a compilation that is under way be the last one.
func (a *ahead) leave() {
	if a != nil {
		a.left.Store(true)
	}
}
