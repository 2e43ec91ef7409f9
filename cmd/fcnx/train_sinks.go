package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

// plainEvery is the time between two lines about steps.
const plainEvery = 5 * time.Second

// trainSinks are those who hear what a run says: events.jsonl and log.txt in its
// directory, whoever sits at the terminal, and the programs that were asked for.
type trainSinks struct {
	all  sink.Sink
	log  *os.File
	tell func(string) // the terminal: events cannot tell of what keeps events away
	once sync.Once
	step atomic.Int64 // the last one that was done, for whoever speaks from beside the loop

	mu    sync.Mutex
	waits event.Waits
}

// queued is how many steps may wait for a sink that is slow.
const queued = 1024

// openSinks opens them. ui is plain (lines on stderr), json (the records on stdout)
// or none.
func openSinks(run *trainRun, ui string, stdout, stderr io.Writer, notes *warnings, served *metricsSink) (*trainSinks, error) {
	events, cut, err := sink.OpenJSONL(run.EventsPath())
	if err != nil {
		return nil, err
	}
	if cut > 0 {
		notes.warn(fmt.Sprintf("%s ended in the middle of a line; these %d bytes are cut off", run.EventsPath(), cut))
	}
	log, err := checkpoints.OpenOwn(run.LogPath(), os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return nil, errors.Join(err, events.Close())
	}
	hears := func(name string, s sink.Sink) sink.Sink { return &heard{Sink: s, name: name, tell: notes.tell} }
	sinks := []sink.Sink{
		hears(run.EventsPath(), events), hears(run.LogPath(), sink.NewPlain(log, plainEvery)), hears("metrics", served),
	}
	if run.config.Run.TensorBoard {
		board, err := sink.OpenTensorBoard(run.Dir, time.Now())
		if err != nil {
			return nil, errors.Join(err, events.Close(), log.Close())
		}
		sinks = append(sinks, sink.NewAsync(hears("TensorBoard", board), queued))
	}
	switch ui {
	case "plain":
		sinks = append(sinks, sink.NewAsync(hears("standard error", untold{sink.NewPlain(stderr, plainEvery), notes}), queued))
	case "json":
		sinks = append(sinks, sink.NewAsync(hears("standard output", sink.NewJSON(stdout)), queued))
	}
	return &trainSinks{all: sink.NewQueue(sink.NewMulti(sinks...)), log: log, tell: notes.tell}, nil
}

// heard is a sink that does not end a run when it fails, but is told of, once and when
// it happens. It is behind the queue of a sink that has one.
type heard struct {
	sink.Sink
	name string // for the person at the terminal
	tell func(string)
	lost atomic.Bool
}

// Handle implements [sink.Sink].
func (h *heard) Handle(r event.Record) error { return h.lose(h.Sink.Handle(r)) }

// Close implements [sink.Sink].
func (h *heard) Close() error { return h.lose(h.Sink.Close()) }

func (h *heard) lose(err error) error {
	if err != nil && !errors.Is(err, sink.ErrClosed) && h.lost.CompareAndSwap(false, true) {
		h.tell(fmt.Sprintf("%s: an event could not be written: %v", h.name, err))
	}
	return err
}

// emit hands a record on, whose loss is told by the sinks. It may be called from
// several goroutines.
func (s *trainSinks) emit(r event.Record) {
	switch r := r.(type) {
	case event.Started:
		s.step.Store(r.Step)
	case event.Step:
		s.step.Store(r.Step)
	}
	s.mu.Lock()
	s.waits.Add(r)
	s.mu.Unlock()
	_ = s.all.Handle(r)
}

// dataWait is the share of the steps' time that this process waited for data.
func (s *trainSinks) dataWait() (share float64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits.Share()
}

func (s *trainSinks) note(step int64, level, text string) {
	s.emit(event.Note{Head: event.Head{Time: time.Now()}, Step: step, Level: level, Text: text})
}

// close delivers what was said so far. Only the first call does anything.
func (s *trainSinks) close() {
	s.once.Do(func() {
		_ = s.all.Close() // each tells of its own
		if err := s.log.Close(); err != nil {
			s.tell(fmt.Sprintf("the log may not be whole: %v", err))
		}
	})
}
