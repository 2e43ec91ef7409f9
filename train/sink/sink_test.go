package sink_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
	"github.com/fcnx/fcnx/train/sink/sinktest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is s seconds after noon.
func at(s float64) event.Head {
	return event.Head{Time: noon.Add(time.Duration(s * float64(time.Second)))}
}

func TestSinksKeepTheContract(t *testing.T) {
	inBuffer := func(make func(w io.Writer) sink.Sink) func(t *testing.T) sinktest.Subject {
		return func(*testing.T) sinktest.Subject {
			var b bytes.Buffer
			return sinktest.Subject{Sink: make(&b), Output: b.String}
		}
	}
	subjects := map[string]func(t *testing.T) sinktest.Subject{
		"json":  inBuffer(func(w io.Writer) sink.Sink { return sink.NewJSON(w) }),
		"plain": inBuffer(func(w io.Writer) sink.Sink { return sink.NewPlain(w, time.Second) }),
		"multi": inBuffer(func(w io.Writer) sink.Sink {
			return sink.NewMulti(sink.NewJSON(io.Discard), sink.NewPlain(w, time.Second))
		}),
		"queue": inBuffer(func(w io.Writer) sink.Sink { return sink.NewQueue(sink.NewJSON(w)) }),
		"async": inBuffer(func(w io.Writer) sink.Sink { return sink.NewAsync(sink.NewJSON(w), 3) }),
		"jsonl": func(t *testing.T) sinktest.Subject {
			path := filepath.Join(t.TempDir(), "events.jsonl")
			s, _, err := sink.OpenJSONL(path)
			require.NoError(t, err)
			return sinktest.Subject{Sink: s, Output: func() string {
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				return string(data)
			}}
		},
		"tensorboard": func(t *testing.T) sinktest.Subject {
			s, err := sink.OpenTensorBoard(t.TempDir(), noon)
			require.NoError(t, err)
			return sinktest.Subject{Sink: s} // it puts out no notes
		},
	}
	for name, fresh := range subjects {
		t.Run(name, func(t *testing.T) { sinktest.Run(t, fresh) })
	}
}

// recorder keeps what it is handed. While gate is not nil, Handle waits for it.
type recorder struct {
	mu     sync.Mutex
	got    []event.Record
	closed int
	gate   chan struct{}
	err    error // of every Handle and Close
}

func (r *recorder) Handle(rec event.Record) error {
	if r.gate != nil {
		<-r.gate
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.got = append(r.got, rec)
	}
	return r.err
}

func (r *recorder) Close() error {
	r.closed++
	return r.err
}

func TestMultiStarvesNoOne(t *testing.T) {
	full, gone := errors.New("disk full"), errors.New("pipe gone")
	last := &recorder{}
	m := sink.NewMulti(&recorder{err: full}, &recorder{err: gone}, last)
	err := m.Handle(event.Note{Text: "hi"})
	require.ErrorIs(t, err, full)
	require.ErrorIs(t, err, gone)
	require.Len(t, last.got, 1)

	err = m.Close()
	require.ErrorIs(t, err, full)
	require.ErrorIs(t, err, gone)
	require.Equal(t, 1, last.closed)
}

func TestAsyncDropsStepsOnlyAndSaysSo(t *testing.T) {
	slow := &recorder{gate: make(chan struct{})}
	a := sink.NewAsync(slow, 4)
	// The first record leaves the queue at once, and is stuck in the sink; whether
	// it has done so before the steps come changes nothing, for it is no step.
	require.NoError(t, a.Handle(event.Started{Head: at(0)}))
	for i := int64(1); i <= 100; i++ {
		require.NoError(t, a.Handle(event.Step{Head: at(float64(i)), Step: i}))
	}
	require.NoError(t, a.Handle(event.Eval{Head: at(101), Step: 100}))
	require.NoError(t, a.Handle(event.Finished{Head: at(102), Step: 100}))
	close(slow.gate)
	require.NoError(t, a.Close())

	require.Equal(t, []event.Record{
		event.Started{Head: at(0)},
		event.Note{Head: at(0), Level: event.LevelWarning, Text: "96 steps were left out here: the reader was slow (events.jsonl has them)"},
		event.Step{Head: at(1), Step: 1},
		event.Step{Head: at(2), Step: 2},
		event.Step{Head: at(3), Step: 3},
		event.Step{Head: at(4), Step: 4},
		event.Eval{Head: at(101), Step: 100},
		event.Finished{Head: at(102), Step: 100},
	}, slow.got)
	require.Equal(t, 1, slow.closed)
}

// A reader that stands still does not make the queue grow as time goes by: of the
// machine it gets the newest record, in its place among the others.
func TestAsyncKeepsTheNewestOfTheMachine(t *testing.T) {
	slow := &recorder{gate: make(chan struct{})}
	a := sink.NewAsync(slow, 4)
	require.NoError(t, a.Handle(event.Started{Head: at(0)}))
	slow.gate <- struct{}{} // it is out of the queue
	require.NoError(t, a.Handle(event.Note{Head: at(1)}))
	for i := range 1000 {
		require.NoError(t, a.Handle(event.System{Head: at(float64(2 + i)), RSS: int64(i)}))
		if i == 500 {
			require.NoError(t, a.Handle(event.Saved{Head: at(502), Step: 1}))
		}
	}
	close(slow.gate)
	require.NoError(t, a.Close())
	require.Equal(t, []event.Record{
		event.Started{Head: at(0)}, event.Note{Head: at(1)}, event.Saved{Head: at(502), Step: 1}, event.System{Head: at(1001), RSS: 999},
	}, slow.got)
}

func TestAsyncGivesItsErrorOnClose(t *testing.T) {
	gone := errors.New("pipe gone")
	broken := &recorder{err: gone}
	a := sink.NewAsync(broken, 1)
	for i := int64(1); i <= 10; i++ {
		require.NoError(t, a.Handle(event.Step{Step: i}))
	}
	require.ErrorIs(t, a.Close(), gone)
	require.NoError(t, a.Close())
	require.Equal(t, 1, broken.closed)
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWritersErrorsComeBack(t *testing.T) {
	for _, s := range []sink.Sink{sink.NewJSON(brokenPipe{}), sink.NewPlain(brokenPipe{}, time.Second)} {
		require.ErrorIs(t, s.Handle(event.Note{Text: "hi"}), io.ErrClosedPipe)
		require.ErrorIs(t, s.Handle(event.Note{Text: "hi"}), io.ErrClosedPipe)
	}
}

// A queue drops nothing, and gives the first error of what is behind it at the end.
func TestQueueKeepsEverything(t *testing.T) {
	var kept []event.Record
	first := errors.New("the first")
	behind := sinkFunc(func(r event.Record) error {
		kept = append(kept, r)
		if len(kept) == 7 {
			return first
		}
		return nil
	})
	q := sink.NewQueue(behind)
	const n = 200_000 // more than may wait at once
	for i := range int64(n) {
		require.NoError(t, q.Handle(event.Step{Step: i}))
	}
	require.ErrorIs(t, q.Close(), first)
	require.NoError(t, q.Close())
	require.Len(t, kept, n)
	for i, r := range kept {
		require.Equal(t, int64(i), r.(event.Step).Step)
	}
	require.ErrorIs(t, q.Handle(event.Note{}), sink.ErrClosed)
}

// sinkFunc is a sink of one function.
type sinkFunc func(event.Record) error

func (f sinkFunc) Handle(r event.Record) error { return f(r) }
func (sinkFunc) Close() error                  { return nil }
