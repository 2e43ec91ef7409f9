// Package sinktest holds an implementation of [sink.Sink] to its contract, clause
// by clause, in the manner of testing/slogtest. Run it with -race.
package sinktest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

// A Subject is a fresh sink and a way to look at what it has put out.
type Subject struct {
	Sink sink.Sink
	// Output is all that the sink has put out so far. Nil for a sink that does not
	// put out the text of notes: it is then held to the clauses that need none.
	Output func() string
}

// clause is one sentence of the contract, and how to find it broken.
type clause struct {
	name        string
	explanation string
	check       func(Subject) error
}

var clauses = []clause{
	{"every kind", "Handle takes every kind of record, and passes over kinds that it does not know", everyKind},
	{"every value", "Handle takes NaN, infinities and zero times", everyValue},
	{"order", "Records are handled in the order of the calls, and Close delivers all of them but steps", order},
	{"concurrency", "Handle may be called from several goroutines, and no two records mix", concurrency},
	{"no change", "Handle must not change what a record points to", noChange},
	{"closed", "After Close, Handle returns ErrClosed and puts out nothing", closed},
	{"close twice", "A second Close does nothing and returns nil", closeTwice},
}

// Run checks every clause on a sink of its own.
func Run(t *testing.T, fresh func(t *testing.T) Subject) {
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(fresh(t)); err != nil {
				t.Errorf("%v\nthe contract says: %s", err, c.explanation)
			}
		})
	}
}

var noon = event.Head{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}

func note(text string) event.Note {
	return event.Note{Head: noon, Level: event.LevelInfo, Text: text}
}

func everyKind(s Subject) error {
	for _, r := range []event.Record{
		event.Started{Head: noon}, event.Phase{Head: noon}, event.Compiled{Head: noon}, event.Step{Head: noon}, event.Eval{Head: noon},
		event.Saved{Head: noon}, note("a"), event.System{Head: noon}, event.Preview{Head: noon}, event.Action{Head: noon}, event.Finished{Head: noon},
		event.Unknown{Head: noon, Kind: "weather", Raw: []byte(`{"kind":"weather","time":"2026-03-01T12:00:00Z"}`)},
	} {
		if err := s.Sink.Handle(r); err != nil {
			return fmt.Errorf("a record of kind %q: %w", r.EventKind(), err)
		}
	}
	return s.Sink.Close()
}

func everyValue(s Subject) error {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		f := event.Float(v)
		for _, r := range []event.Record{
			event.Step{Loss: f, GradNorm: &f},
			event.Step{Head: noon, Step: math.MaxInt64, Loss: f},
			event.Eval{Loss: f, MeanIoU: f, ClassIoU: map[string]*event.Float{"a": &f, "b": nil}},
			event.Finished{BestIoU: &f},
		} {
			if err := s.Sink.Handle(r); err != nil {
				return fmt.Errorf("%s with %v: %w", r.EventKind(), v, err)
			}
		}
	}
	return s.Sink.Close()
}

func order(s Subject) error {
	const notes = 50
	for i := range notes {
		if err := s.Sink.Handle(note(token(0, i))); err != nil {
			return err
		}
		step := event.Step{Head: noon, Step: int64(i + 1)}
		if err := s.Sink.Handle(step); err != nil {
			return err
		}
	}
	if err := s.Sink.Close(); err != nil {
		return err
	}
	return inOrder(s, 1, notes)
}

func concurrency(s Subject) error {
	const writers, notes = 8, 50
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		wg.Go(func() {
			for i := range notes {
				errs[w] = errors.Join(errs[w],
					s.Sink.Handle(note(token(w, i))),
					s.Sink.Handle(event.Step{Head: noon, Step: int64(i + 1)}))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(append(errs, s.Sink.Close())...); err != nil {
		return err
	}
	return inOrder(s, writers, notes)
}

// token is text that is found again in any output, and is no part of another.
func token(writer, i int) string {
	return fmt.Sprintf("<writer %d says %d>", writer, i)
}

// inOrder finds each writer's notes once and in order, one on a line.
func inOrder(s Subject, writers, notes int) error {
	if s.Output == nil {
		return nil
	}
	output := s.Output()
	for line := range strings.Lines(output) {
		if strings.Count(line, "<writer ") > 1 || !strings.HasSuffix(line, "\n") {
			return fmt.Errorf("records are mixed in the line %q", line)
		}
	}
	for w := range writers {
		from := 0
		for i := range notes {
			found := strings.Index(output[from:], token(w, i))
			if found < 0 {
				return fmt.Errorf("%s is missing behind byte %d, or comes too early", token(w, i), from)
			}
			from += found + len(token(w, i))
			if strings.Count(output, token(w, i)) != 1 {
				return fmt.Errorf("%s is there more than once", token(w, i))
			}
		}
	}
	return nil
}

func noChange(s Subject) error {
	f, names := event.Float(0.5), []string{"a", "b"}
	iou := map[string]*event.Float{"a": &f, "b": nil}
	raw := []byte(`{"kind":"weather","time":"2026-03-01T12:00:00Z"}`)
	gpus, images := []event.GPU{{Name: "a"}, {Name: "b"}}, []event.PreviewImage{{ID: "a"}, {ID: "b"}}
	for _, r := range []event.Record{
		event.Started{Head: noon, Classes: names}, event.Step{Head: noon, GradNorm: &f}, event.Eval{Head: noon, ClassIoU: iou},
		event.System{Head: noon, GPUs: gpus}, event.Preview{Head: noon, Images: images},
		event.Finished{Head: noon, BestIoU: &f}, event.Unknown{Head: noon, Kind: "weather", Raw: raw},
	} {
		_ = s.Sink.Handle(r) // the pictures are nowhere, which a sink may say
	}
	if err := s.Sink.Close(); err != nil {
		return err
	}
	if f != 0.5 || names[0] != "a" || names[1] != "b" || len(iou) != 2 || iou["a"] != &f || iou["b"] != nil ||
		gpus[0].Name != "a" || gpus[1].Name != "b" || images[0].ID != "a" || images[1].ID != "b" ||
		string(raw) != `{"kind":"weather","time":"2026-03-01T12:00:00Z"}` {
		return errors.New("a record has changed")
	}
	return nil
}

func closed(s Subject) error {
	if err := s.Sink.Handle(note("before")); err != nil {
		return err
	}
	if err := s.Sink.Close(); err != nil {
		return err
	}
	if err := s.Sink.Handle(note("afterwards")); !errors.Is(err, sink.ErrClosed) {
		return fmt.Errorf("handling after Close returned %v", err)
	}
	if s.Output != nil && strings.Contains(s.Output(), "afterwards") {
		return errors.New("a record that was handled after Close came out")
	}
	return nil
}

func closeTwice(s Subject) error {
	if err := s.Sink.Close(); err != nil {
		return fmt.Errorf("first Close: %w", err)
	}
	if err := s.Sink.Close(); err != nil {
		return fmt.Errorf("second Close: %w", err)
	}
	return nil
}
