package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Exit codes are a contract with scripts (see docs/commands.md).
const (
	exitDone        = 0
	exitFailure     = 1
	exitUsage       = 2 // a flag, a key or a combination of them
	exitDiverged    = 3 // NaN or Inf in the loss or the weights
	exitBadData     = 4 // data or weights
	exitNoBackend   = 5
	exitUnwritable  = 6   // no room, a limit, no permission or a broken disk where something is to be kept
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

// unwritable are the reasons why a place cannot be written to that are no mistake of the
// caller's, and go away by themselves or by the hand of whoever looks after the machine.
// The two of fs.ErrPermission, EACCES and EPERM, are among them.
var unwritable = []error{
	syscall.ENOSPC, // of bytes, and of inodes
	syscall.EDQUOT, syscall.EFBIG, syscall.EROFS, syscall.EIO, syscall.ESTALE,
	fs.ErrPermission,
}

// writeError gives the error of a write its exit code, where the place is to blame for it.
// It is for errors that can be of nothing but a write.
func writeError(err error) error {
	if isOneOf(err, unwritable) {
		return withCode(exitUnwritable, err)
	}
	return err
}

// writeErrorOf is writeError where something else may also have been read: what counts
// is an error of the file at path, of the one that takes its place or of its directory.
func writeErrorOf(path string, err error) error {
	path = filepath.Clean(path)
	own := []string{path, path + ".tmp", filepath.Dir(path)}
	if failedAt(err, func(p string) bool { return slices.Contains(own, filepath.Clean(p)) }, unwritable) {
		return withCode(exitUnwritable, err)
	}
	return err
}

// writeErrorBelow is writeErrorOf for a directory and all that is below it.
func writeErrorBelow(dir string, err error) error {
	if failedAt(err, below(dir), unwritable) {
		return withCode(exitUnwritable, err)
	}
	return err
}

// runError is writeErrorBelow for the directory of a run: that something of it is gone
// is a reason too, for nobody but the run itself removes what it has made.
func runError(dir string, err error) error {
	if failedAt(err, below(dir), append([]error{fs.ErrNotExist}, unwritable...)) {
		return withCode(exitUnwritable, err)
	}
	return err
}

func below(dir string) func(path string) bool {
	return func(path string) bool {
		relative, err := filepath.Rel(dir, path)
		return err == nil && filepath.IsLocal(relative)
	}
}

func isOneOf(err error, reasons []error) bool {
	return slices.ContainsFunc(reasons, func(reason error) bool { return errors.Is(err, reason) })
}

// failedAt tells whether a system call on a file of ours failed for one of the reasons.
// Of errors that were joined each is looked at.
func failedAt(err error, ours func(path string) bool, reasons []error) bool {
	switch e := err.(type) { //nolint:errorlint // it goes through all that are wrapped
	case *fs.PathError:
		return ours(e.Path) && isOneOf(e.Err, reasons)
	case *os.LinkError:
		return ours(e.New) && isOneOf(e.Err, reasons)
	case interface{ Unwrap() error }:
		return failedAt(e.Unwrap(), ours, reasons)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(err error) bool { return failedAt(err, ours, reasons) })
	}
	return false
}
