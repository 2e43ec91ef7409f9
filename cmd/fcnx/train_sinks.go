package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

// plainEvery is the time between two lines about steps.
const plainEvery = 5 * time.Second

// trainSinks are those who hear what a run says: events.jsonl and log.txt in its
// directory, whoever sits at the terminal, and the programs that were asked for.
type trainSinks struct {
	all  *sink.Multi
	log  *os.File
	tell func(string) // the terminal: events cannot tell of what keeps events away
	once sync.Once
	lost atomic.Bool  // a warning about a failed sink was given
	step atomic.Int64 // the last one that was done, for whoever speaks from beside the loop
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
	log, err := os.OpenFile(run.LogPath(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return nil, errors.Join(err, events.Close())
	}
	sinks := []sink.Sink{events, sink.NewPlain(log, plainEvery), served}
	if run.config.Run.TensorBoard {
		board, err := sink.OpenTensorBoard(run.Dir, time.Now())
		if err != nil {
			return nil, errors.Join(err, events.Close(), log.Close())
		}
		sinks = append(sinks, sink.NewAsync(board, queued))
	}
	switch ui {
	case "plain":
		sinks = append(sinks, sink.NewAsync(sink.NewPlain(stderr, plainEvery), queued))
	case "json":
		sinks = append(sinks, sink.NewAsync(sink.NewJSON(stdout), queued))
	}
	return &trainSinks{all: sink.NewMulti(sinks...), log: log, tell: notes.tell}, nil
}

// emit hands a record on. A sink that fails does not end a run, but is told of,
// once. It may be called from several goroutines.
func (s *trainSinks) emit(r event.Record) {
	switch r := r.(type) {
	case event.Started:
		s.step.Store(r.Step)
	case event.Step:
		s.step.Store(r.Step)
	}
	s.lose(s.all.Handle(r))
}

func (s *trainSinks) lose(err error) {
	if err != nil && s.lost.CompareAndSwap(false, true) {
		s.tell(fmt.Sprintf("an event could not be written: %v", err))
	}
}

func (s *trainSinks) note(step int64, level, text string) {
	s.emit(event.Note{Head: event.Head{Time: time.Now()}, Step: step, Level: level, Text: text})
}

// warnings keeps what was to be warned of before anyone could write it down: a run
// whose terminal is gone must still tell of it.
type warnings struct {
	tell func(string) // the terminal
	mu   sync.Mutex
	said []string
	note func(string) // the events, once they are open
}

func (w *warnings) warn(text string) {
	w.tell(text)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.note != nil {
		w.note(text)
		return
	}
	w.said = append(w.said, text)
}

// into sends all warnings, those of the past too, to note.
func (w *warnings) into(note func(string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range w.said {
		note(text)
	}
	w.said, w.note = nil, note
}

// close delivers what was said so far. Only the first call does anything.
func (s *trainSinks) close() {
	s.once.Do(func() { s.lose(errors.Join(s.all.Close(), s.log.Close())) })
}
