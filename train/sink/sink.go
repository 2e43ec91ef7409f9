// Package sink takes the records of a run to where they are wanted: to
// events.jsonl ([JSONL]), to a pipe ([JSON]), to a person ([Plain]). [Multi] makes
// one sink of several; [Async] puts a queue before one that may be slow and leaves
// steps out, [Queue] one that leaves out nothing.
//
// The package knows records only. Every time in its output is a record's own.
package sink

import (
	"errors"

	"github.com/fcnx/fcnx/train/event"
)

// Sink receives what a run says. Package sinktest holds an implementation to
// this contract, clause by clause.
type Sink interface {
	// Handle takes one record.
	//
	//   - It may be called from several goroutines. Calls that follow one another
	//     are handled in that order, and no two records mix in the output.
	//   - It takes every kind of record. A kind that the sink has no use for, an
	//     [event.Unknown] too, is passed over without an error.
	//   - It takes every value, NaN, infinities and zero times too.
	//   - It may keep the record, and must not change what it points to. The
	//     caller does not change it either.
	//   - After an error the sink lives on: the next record is tried again.
	//   - After Close it returns [ErrClosed].
	Handle(event.Record) error

	// Close delivers everything that was handled, and lets go of what the sink has
	// opened: a file that it opened, not a writer that it was given. Its error is
	// that of the delivery. A second Close does nothing and returns nil.
	Close() error
}

// ErrClosed is what Handle returns after Close.
var ErrClosed = errors.New("the sink is closed")
