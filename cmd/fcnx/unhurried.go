package main

import (
	"io"
	"sync"
	"time"
)

const (
	// unsaidWait is how long the end waits for a terminal to take what was said.
	unsaidWait = time.Second
	// unsaidLimit bounds what waits for it, in bytes.
	unsaidLimit = 1 << 20
)

// unhurried is a writer that nobody waits for: a terminal that is frozen, or a pipe
// that nobody reads, must hold up neither training nor the one who hears of signals.
// What is beyond its bounds is left out.
type unhurried struct {
	w io.Writer

	mu     sync.Mutex
	wake   sync.Cond
	unsaid [][]byte
	size   int
	closed bool
	done   chan struct{} // closed when everything was written
}

func newUnhurried(w io.Writer) *unhurried {
	u := &unhurried{w: w, done: make(chan struct{})}
	u.wake.L = &u.mu
	go u.deliver()
	return u
}

// Write implements [io.Writer]. Each call is one write of the writer behind it, whose
// errors nobody could be told of.
func (u *unhurried) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.closed && u.size+len(p) <= unsaidLimit {
		u.unsaid = append(u.unsaid, append([]byte(nil), p...))
		u.size += len(p)
		u.wake.Signal()
	}
	return len(p), nil
}

func (u *unhurried) deliver() {
	defer close(u.done)
	for {
		p, ok := u.next()
		if !ok {
			return
		}
		_, _ = u.w.Write(p)
	}
}

// next waits for something to write; ok is false when there will be nothing.
func (u *unhurried) next() (p []byte, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.unsaid) == 0 {
		if u.closed {
			return nil, false
		}
		u.wake.Wait()
	}
	p = u.unsaid[0]
	u.unsaid = u.unsaid[1:]
	u.size -= len(p)
	return p, true
}

// close waits for what was said, but not for long.
func (u *unhurried) close() {
	u.mu.Lock()
	u.closed = true
	u.wake.Signal()
	u.mu.Unlock()
	limit := time.NewTimer(unsaidWait)
	defer limit.Stop()
	select {
	case <-u.done:
	case <-limit.C:
	}
}
