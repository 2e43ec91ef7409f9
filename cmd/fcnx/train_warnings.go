package main

import (
	"sync"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

// warnings keeps what was to be warned of before anyone could write it down: a run
// whose terminal is gone must still tell of it.
type warnings struct {
	tell func(string) // the terminal
	told sync.Map     // texts at the terminal; not under mu, for note may ask
	mu   sync.Mutex
	said []string     // those that note does not have yet
	note func(string) // the events, once they are open
}

func (w *warnings) warn(text string) {
	w.tell(text)
	w.told.Store(text, true)
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

// untold is a sink on the terminal, which need not say again what has been told there.
type untold struct {
	sink.Sink
	warnings *warnings
}

// Handle implements [sink.Sink].
func (u untold) Handle(r event.Record) error {
	if note, ok := r.(event.Note); ok && note.Level == event.LevelWarning {
		if _, told := u.warnings.told.Load(note.Text); told {
			return nil
		}
	}
	return u.Sink.Handle(r)
}
