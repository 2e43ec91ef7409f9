package sink

import (
	"io"
	"sync"

	"github.com/fcnx/fcnx/train/event"
)

// JSON writes each record at once as a line of JSON, the same line as in
// events.jsonl.
type JSON struct {
	mu     sync.Mutex
	w      io.Writer
	closed bool
}

// NewJSON returns a sink that writes to w. Close does not close w.
func NewJSON(w io.Writer) *JSON {
	return &JSON{w: w}
}

// Handle implements [Sink].
func (j *JSON) Handle(r event.Record) error {
	line, err := event.Marshal(r)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	_, err = j.w.Write(append(line, '\n'))
	return err
}

// Close implements [Sink].
func (j *JSON) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	return nil
}
