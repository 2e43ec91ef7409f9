package train

import "fmt"

// InterruptedError says that the run was asked to stop, and did, in good order.
type InterruptedError struct {
	Progress Progress
	Saved    bool            // a checkpoint holds Progress; false if there was nothing to keep
	Cause    error           // why, as the context tells
	Left     *CompilingError // what the Stepper is still busy with; nil as a rule
}

func (e *InterruptedError) Error() string {
	if !e.Saved {
		return fmt.Sprintf("stopped before the first step: %v; nothing to keep", e.Cause)
	}
	return fmt.Sprintf("stopped after step %d: %v; it is saved, and --resume goes on from there", e.Progress.Step, e.Cause)
}

func (e *InterruptedError) Unwrap() []error {
	if e.Left == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Left}
}

// DivergedError says that a number stopped being one.
type DivergedError struct {
	Step     int64
	What     string // "the loss is NaN"
	LastGood int64  // the step of the newest checkpoint; 0: there is none
}

func (e *DivergedError) Error() string {
	text := fmt.Sprintf("diverged at step %d: %s", e.Step, e.What)
	if e.LastGood > 0 {
		text += fmt.Sprintf("; the last good checkpoint is that of step %d", e.LastGood)
	}
	return text + "; try a lower train.lr, a longer train.warmup or train.clip = 1.0"
}
