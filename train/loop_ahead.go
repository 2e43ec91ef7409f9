package train

import (
	"context"
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

	mu    sync.Mutex
	begun []string // what was, or is being, compiled
}

// coming gets ready for batches of a shape by the method get of a [Stepper].
type coming struct {
	shape datasets.BatchShape
	get   func(*datasets.Batch, Before) error
}

// lookAhead begins to compile for what is coming, one after the other. It returns when the
// first compilation is begun.
func lookAhead(all []coming) *ahead {
	a := &ahead{first: make(chan struct{}), over: make(chan struct{})}
	go func() {
		defer close(a.over)
		for _, c := range all {
			if a.left.Load() {
				return
			}
			_ = c.get(c.shape.Blank(), a.begins)
		}
	}()
	select {
	case <-a.first:
	case <-a.over:
	}
	return a
}

func (a *ahead) begins(what string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.begun = append(a.begun, what); len(a.begun) == 1 {
		close(a.first)
	}
	return nil
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
	return a.begun[len(a.begun)-1]
}

// lookAhead begins to compile for the steps and the evaluations that are to come, once there
// was a step: before, it would only take the machine from the compilation that the step waits
// for.
func (s *session) lookAhead() {
	if s.ahead != nil {
		return
	}
	var all []coming
	for _, shape := range s.StepShapes {
		all = append(all, coming{shape, s.Stepper.CompileStepAhead})
	}
	if s.Val != nil {
		for _, shape := range s.EvalShapes {
			all = append(all, coming{shape, s.Stepper.CompileEval})
		}
	}
	s.ahead = lookAhead(all)
}

// awaitAhead waits for what is being compiled ahead, as for any compilation.
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
	if a == nil {
		return true
	}
	select {
	case <-a.over:
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
