package sink

import (
	"io"
	"time"
)

const (
	// flushEvery bounds how often a step costs a system call, and what a process
	// that is killed takes with it.
	flushEvery = 100 * time.Millisecond
	// pendingLimit bounds what waits in memory for a disk that is full.
	pendingLimit = 1 << 20
)

// appender appends pieces to a file, each of them whole. Where the disk fills up in
// the middle of one, the part is cut off again, and what did not fit is tried again
// with the next piece.
type appender struct {
	file    journal // nil: closed
	size    int64   // of the file up to the end of its last whole piece
	pending []byte  // whole pieces
	flushed time.Time
}

// journal is what appender needs of an [os.File].
type journal interface {
	io.WriteCloser
	Truncate(size int64) error
	Sync() error
}

// room fails where so much waits already that the next piece must be dropped.
func (a *appender) room(now time.Time) error {
	if len(a.pending) <= pendingLimit {
		return nil
	}
	return a.flush(now)
}

// add takes a piece at the time of its record. One that may wait reaches the file
// at most ten times a second, by the records' own clock; every other one takes what
// waits along and reaches it at once.
func (a *appender) add(piece []byte, now time.Time, wait bool) error {
	a.pending = append(a.pending, piece...)
	// A clock that was set back must not hold records up.
	if since := now.Sub(a.flushed); wait && 0 <= since && since < flushEvery {
		return nil
	}
	return a.flush(now)
}

// flush writes what waits. On an error the file is again what it was before, and
// everything still waits.
func (a *appender) flush(now time.Time) error {
	if len(a.pending) == 0 {
		return nil
	}
	a.flushed = now
	n, err := a.file.Write(a.pending)
	if err != nil {
		if n > 0 {
			// If this fails too, the next reader finds one bad piece and says so.
			_ = a.file.Truncate(a.size)
		}
		return err
	}
	a.size += int64(n)
	a.pending = a.pending[:0]
	return nil
}

// close writes what waits. It is then on the disk, not only on its way.
func (a *appender) close() error {
	if a.file == nil {
		return nil
	}
	err := a.flush(a.flushed)
	if syncErr := a.file.Sync(); err == nil {
		err = syncErr
	}
	if closeErr := a.file.Close(); err == nil {
		err = closeErr
	}
	a.file = nil
	return err
}
