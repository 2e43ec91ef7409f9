package main

import (
	"errors"
	"fmt"
)

// Exit codes are a contract with scripts (see docs/commands.md).
const (
	exitDone        = 0
	exitFailure     = 1
	exitUsage       = 2 // a flag, a key or a combination of them
	exitDiverged    = 3 // NaN or Inf in the loss
	exitBadData     = 4 // data or weights
	exitNoBackend   = 5
	exitInterrupted = 130 // SIGINT
	exitTerminated  = 143 // SIGTERM
)

// exitError is an error with its own exit code. Its text is all a user sees: what
// is wrong, where, and what to do next.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// quietExit ends the program with a code and without a word, where everything has
// been said already.
type quietExit struct{ code int }

func (e *quietExit) Error() string { return fmt.Sprintf("exit code %d", e.code) }

func usageError(err error) error   { return withCode(exitUsage, err) }
func dataError(err error) error    { return withCode(exitBadData, err) }
func backendError(err error) error { return withCode(exitNoBackend, err) }

// withCode leaves nil nil, and an error that has a code already as it is.
func withCode(code int, err error) error {
	var coded *exitError
	var quiet *quietExit
	if err == nil || errors.As(err, &coded) || errors.As(err, &quiet) {
		return err
	}
	return &exitError{code, err}
}

func exitCode(err error) int {
	var coded *exitError
	var quiet *quietExit
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &quiet):
		return quiet.code
	case errors.As(err, &coded):
		return coded.code
	}
	return exitFailure
}
