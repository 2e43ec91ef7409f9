package sinktest

import (
	"bytes"
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

// broken is a good sink but for what its fields put in the way.
type broken struct {
	sink.Sink
	mu     sync.Mutex
	handle func(to sink.Sink, r event.Record) error
	close  func(to sink.Sink) error
}

func (b *broken) Handle(r event.Record) error {
	if b.handle == nil {
		return b.Sink.Handle(r)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.handle(b.Sink, r)
}

func (b *broken) Close() error {
	if b.close == nil {
		return b.Sink.Close()
	}
	return b.close(b.Sink)
}

// Each clause finds the sink that breaks it.
func TestTheKitFindsBrokenSinks(t *testing.T) {
	var held event.Record
	closes := 0
	tests := map[string]*broken{
		"every kind": {handle: func(to sink.Sink, r event.Record) error {
			if _, ok := r.(event.Unknown); ok {
				return errors.New("what is this?")
			}
			return to.Handle(r)
		}},
		"every value": {handle: func(to sink.Sink, r event.Record) error {
			if step, ok := r.(event.Step); ok && math.IsNaN(float64(step.Loss)) {
				return errors.New("not a number")
			}
			return to.Handle(r)
		}},
		// Holds one note back and lets the next one pass it.
		"order": {handle: func(to sink.Sink, r event.Record) error {
			if _, ok := r.(event.Note); !ok {
				return to.Handle(r)
			}
			if held == nil {
				held = r
				return nil
			}
			err := errors.Join(to.Handle(r), to.Handle(held))
			held = nil
			return err
		}},
		"concurrency": {handle: func(to sink.Sink, r event.Record) error {
			if n, ok := r.(event.Note); ok && n.Text == token(7, 49) {
				return nil // lost
			}
			return to.Handle(r)
		}},
		"no change": {handle: func(to sink.Sink, r event.Record) error {
			if e, ok := r.(event.Eval); ok {
				delete(e.ClassIoU, "b")
			}
			return to.Handle(r)
		}},
		"closed": {close: func(sink.Sink) error { return nil }},
		"close twice": {close: func(to sink.Sink) error {
			if closes++; closes > 1 {
				return errors.New("closed already")
			}
			return to.Close()
		}},
	}

	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, c.check(Subject{Sink: sink.NewJSON(&b), Output: b.String}), "a good sink")
			b.Reset()
			bad := tests[c.name]
			require.NotNil(t, bad, "no sink is known that breaks this clause")
			bad.Sink = sink.NewJSON(&b)
			require.Error(t, c.check(Subject{Sink: bad, Output: b.String}))
		})
	}
}
