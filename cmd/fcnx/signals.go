package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// ending is the cause of a context that somebody ended from outside: a signal, or
// another process that asked for it. It decides the exit code.
type ending interface {
	error
	exit() int
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string {
	if e.signal == syscall.SIGINT {
		return "interrupted"
	}
	return "asked to terminate"
}

// exit is the code that a shell expects of a program that a signal ended: 130
// after SIGINT, 143 after SIGTERM.
func (e *signalError) exit() int { return 128 + int(e.signal) }

// untilSignal returns a context that the first SIGINT or SIGTERM ends, in good
// order; message is then written to stderr. The second one leaves at once.
func untilSignal(parent context.Context, stderr io.Writer, message string) (context.Context, context.CancelFunc) {
	// A pipe that nobody reads holds up whoever writes to it, and the second signal must
	// be heard.
	said := newUnhurried(stderr)
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		asked := false
		for {
			select {
			case s := <-signals:
				cause := &signalError{s.(syscall.Signal)}
				if asked {
					os.Exit(cause.exit())
				}
				asked = true
				cancel(cause)
				if message != "" {
					fmt.Fprintf(said, "fcnx: %v: %s\n", cause, message)
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
		said.close()
	}
}

// endingOf finds who ended a command.
func endingOf(ctx context.Context, err error) (ending, bool) {
	var e ending
	if errors.As(err, &e) || errors.As(context.Cause(ctx), &e) && errors.Is(err, ctx.Err()) {
		return e, true
	}
	return nil, false
}
