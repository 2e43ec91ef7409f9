package train

import "fmt"

// InterruptedError says that the run was asked to stop, and did, in good order.
type InterruptedError struct {
	Progress Progress
	Saved    bool  // a checkpoint holds Progress; false if there was nothing to keep
	Cause    error // why, as the context tells
}

func (e *InterruptedError) Error() string {
	if !e.Saved {
		return fmt.Sprintf("stopped before the first step: %v; nothing to keep", e.Cause)
	}
	return fmt.Sprintf("stopped after step %d: %v; it is saved, and --resume goes on from there", e.Progress.Step, e.Cause)
}

func (e *InterruptedError) Unwrap() error { return e.Cause }

// DivergedError says that a number stopped being one.
type DivergedError struct {
	Step int64
	What string // "the loss is NaN"
	// Where is the place in the network in which it began, and with which samples. It is
	// empty unless train.debug_nan asks for it.
	Where    string
	LastGood int64 // the step of the newest checkpoint; 0: there is none
	Retries  int   // how often the run had gone back before
}

// Cause is the error without advice: what happened, when and where.
func (e *DivergedError) Cause() string {
	text := fmt.Sprintf("diverged at step %d: %s", e.Step, e.What)
	if e.Where != "" {
		text += "; " + e.Where
	}
	return text
}

func (e *DivergedError) Error() string {
	text := e.Cause()
	switch {
	case e.Retries == 1:
		text += "; it had gone back once before"
	case e.Retries > 1:
		text += fmt.Sprintf("; it had gone back %d times before", e.Retries)
	}
	if e.LastGood > 0 {
		text += fmt.Sprintf("; the last good checkpoint is that of step %d", e.LastGood)
	}
	text += "; try a lower train.lr, a longer train.warmup or train.clip = 1.0"
	if e.Where == "" {
		text += "; --debug-nan names the layer in which it begins"
	}
	return text
}
