package sink

import (
	"errors"
	"sync"

	"github.com/fcnx/fcnx/train/event"
)

// Multi hands every record to each of several sinks, in the same order to all.
type Multi struct {
	mu    sync.Mutex
	sinks []Sink
}

// NewMulti makes one sink of several. It closes them when it is closed.
func NewMulti(sinks ...Sink) *Multi {
	return &Multi{sinks: sinks}
}

// Handle implements [Sink]. A sink that fails keeps the record from no other; the
// errors are joined.
func (m *Multi) Handle(r event.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, s := range m.sinks {
		errs = append(errs, s.Handle(r))
	}
	return errors.Join(errs...)
}

// Close implements [Sink]: it closes them all, in order.
func (m *Multi) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, s := range m.sinks {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
