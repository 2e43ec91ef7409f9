package sink

import (
	"sync"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

const (
	// queueEvery is how long a step may wait in a [Queue] for others to go with.
	queueEvery = 50 * time.Millisecond
	// queueLimit is how many records wait at most, besides as many that are being
	// delivered: a minute of the fastest run, and some ten megabytes.
	queueLimit = 1 << 16
)

// Queue puts a queue before a sink, so that whoever trains pays for handing a record
// over and not for encoding and writing it, which between two steps finds every cache
// full of the network's (docs/benchmarks.md).
//
// Nothing that came before Close is dropped, and the order is kept. A step waits for up to a twentieth of a
// second, every other record is delivered at once. Where the sink stands still for so
// long that 65536 records wait, Handle waits too. A process that is killed takes
// what waits with it.
type Queue struct {
	to   Sink
	wake chan struct{} // of capacity 1: there is something that is no step, or the end
	done chan struct{} // closed when deliver has returned

	mu     sync.Mutex
	room   sync.Cond // the queue has been taken
	queue  []event.Record
	closed bool
	err    error // deliver's: the first of the sink
}

// NewQueue starts to deliver to the sink, which it closes when it is closed.
func NewQueue(to Sink) *Queue {
	q := &Queue{to: to, wake: make(chan struct{}, 1), done: make(chan struct{})}
	q.room.L = &q.mu
	go q.deliver()
	return q
}

// Handle implements [Sink]. The errors of the sink behind it are Close's.
func (q *Queue) Handle(r event.Record) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.queue) >= queueLimit && !q.closed {
		q.nudge()
		q.room.Wait()
	}
	if q.closed {
		return ErrClosed
	}
	q.queue = append(q.queue, r)
	if _, isStep := r.(event.Step); !isStep {
		q.nudge()
	}
	return nil
}

func (q *Queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// deliver runs until the queue is closed and empty.
func (q *Queue) deliver() {
	defer close(q.done)
	tick := time.NewTicker(queueEvery)
	defer tick.Stop()
	var spare []event.Record
	for {
		q.mu.Lock()
		batch, closed := q.queue, q.closed
		q.queue = spare[:0]
		q.room.Broadcast()
		q.mu.Unlock()
		for i, r := range batch {
			if err := q.to.Handle(r); err != nil && q.err == nil {
				q.err = err
			}
			batch[i] = nil
		}
		if spare = batch; len(batch) > 0 {
			continue // more may have come meanwhile
		}
		if closed {
			return
		}
		select {
		case <-q.wake:
		case <-tick.C:
		}
	}
}

// Close implements [Sink]. It waits until everything is delivered. Its error is
// the first of the sink behind it.
func (q *Queue) Close() error {
	q.mu.Lock()
	again := q.closed
	q.closed = true
	q.room.Broadcast()
	q.nudge()
	q.mu.Unlock()
	<-q.done
	if again {
		return nil
	}
	if err := q.to.Close(); q.err == nil {
		return err
	}
	return q.err
}
