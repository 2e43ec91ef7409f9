package sink

import (
	"fmt"
	"slices"
	"sync"

	"github.com/fcnx/fcnx/train/event"
)

// Async puts a queue before a sink, so that training never waits for a screen.
// While the sink is slow, two things are dropped and nothing else: steps, once the
// queue is full, and all records of the machine in it but the newest, because only the
// present matters of them. What is not dropped is delivered in order. Once a record
// gets through again, an [event.Note] follows it that says how many steps were dropped.
type Async struct {
	to   Sink
	size int

	mu      sync.Mutex
	wake    sync.Cond // there is something to do for deliver
	queue   []event.Record
	steps   int // of the queue
	dropped int
	closed  bool
	done    chan struct{} // closed when deliver has returned

	// These are deliver's own, and read by others after done.
	step int64 // of the last step that got through
	err  error // the first
}

// NewAsync starts to deliver to the sink, which it closes when it is closed. At
// most size steps wait, at least 1, and one [event.System]; other records are few, and
// wait in any number.
func NewAsync(to Sink, size int) *Async {
	a := &Async{to: to, size: max(size, 1), done: make(chan struct{})}
	a.wake.L = &a.mu
	go a.deliver()
	return a
}

// Handle implements [Sink]. It never waits for the sink behind it, whose errors
// are Close's.
func (a *Async) Handle(r event.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return ErrClosed
	}
	switch r.(type) {
	case event.Step:
		if a.steps >= a.size {
			a.dropped++
			return nil
		}
		a.steps++
	case event.System:
		a.queue = slices.DeleteFunc(a.queue, func(r event.Record) bool {
			_, older := r.(event.System)
			return older
		})
	}
	a.queue = append(a.queue, r)
	a.wake.Signal()
	return nil
}

// deliver runs until the queue is closed and empty.
func (a *Async) deliver() {
	defer close(a.done)
	for {
		r, ok := a.next()
		if !ok {
			return
		}
		err := a.to.Handle(r)
		if err == nil {
			err = a.confess(r)
		}
		if err != nil && a.err == nil {
			a.err = err
		}
	}
}

// next waits for a record; ok is false when there will be none.
func (a *Async) next() (r event.Record, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.queue) == 0 {
		if a.closed {
			return nil, false
		}
		a.wake.Wait()
	}
	r = a.queue[0]
	a.queue[0] = nil
	a.queue = a.queue[1:]
	if _, isStep := r.(event.Step); isStep {
		a.steps--
	}
	return r, true
}

// confess says how many steps were dropped, if any were, at the time of a record
// that got through.
func (a *Async) confess(after event.Record) error {
	a.mu.Lock()
	dropped := a.dropped
	a.dropped = 0
	a.mu.Unlock()
	if step, ok := after.(event.Step); ok {
		a.step = step.Step
	}
	if dropped == 0 {
		return nil
	}
	err := a.to.Handle(event.Note{
		Head:  event.Head{Time: after.At()},
		Step:  a.step,
		Level: event.LevelWarning,
		Text:  fmt.Sprintf("%d steps were left out here: the reader was slow (events.jsonl has them)", dropped),
	})
	if err != nil {
		a.mu.Lock()
		a.dropped += dropped
		a.mu.Unlock()
	}
	return err
}

// Close implements [Sink]. It waits until everything is delivered. Its error is
// the first of the sink behind it.
func (a *Async) Close() error {
	a.mu.Lock()
	again := a.closed
	a.closed = true
	a.wake.Signal()
	a.mu.Unlock()
	<-a.done
	if again {
		return nil
	}
	if err := a.to.Close(); a.err == nil {
		return err
	}
	return a.err
}
