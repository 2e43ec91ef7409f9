package main

import "sync"

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
