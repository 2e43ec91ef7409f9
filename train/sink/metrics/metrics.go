// Package metrics shows a run to Prometheus: its last values, not its history,
// served over HTTP at /metrics, or in a text file for the textfile collector of
// node_exporter.
package metrics

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

// writeEvery is the least time between two versions of the text file, but for the
// last.
const writeEvery = 5 * time.Second

// Config says where the measures go. An empty field is a place that is not wanted.
type Config struct {
	Addr string // host:port to serve /metrics at; port 0 takes a free one
	File string // path of the text file
}

// Sink keeps the last record of each kind. A measure that no record has told of yet
// is absent, not zero. The registry is the sink's own, so there may be several in a
// process.
type Sink struct {
	registry *prometheus.Registry
	server   *server // nil: none
	file     string  // empty: none

	handling sync.Mutex // held for the whole of Handle and Close
	closed   bool
	written  time.Time // when the file was, by the records' clock

	mu    sync.Mutex // held for moments; a scrape needs it too
	state state
}

// Open begins to serve. An address that cannot be had and a directory that cannot
// be written to are errors; the file itself is left as it is until there is
// something to say.
func Open(c Config) (*Sink, error) {
	s := &Sink{registry: prometheus.NewPedanticRegistry(), file: c.File}
	if err := s.registry.Register(newCollector(s.snapshot)); err != nil {
		return nil, err
	}
	if c.File != "" {
		if err := writable(c.File); err != nil {
			return nil, fmt.Errorf("metrics cannot be written to %s: %w; choose another run.metrics_file", c.File, err)
		}
	}
	if c.Addr != "" {
		var err error
		if s.server, err = serve(c.Addr, s.registry); err != nil {
			return nil, fmt.Errorf("metrics cannot be served: %w; choose another run.metrics_addr", err)
		}
	}
	return s, nil
}

// writable tells whether a file can be put in place of path.
func writable(path string) error {
	switch info, err := os.Stat(path); {
	case err != nil: // none is there, or making one will tell
	case info.IsDir():
		return errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return errors.New("it is there and no regular file, and would be replaced by one")
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// Addr is where /metrics is served; the zero AddrPort where it is not.
func (s *Sink) Addr() netip.AddrPort {
	if s.server == nil {
		return netip.AddrPort{}
	}
	return s.server.addr
}

func (s *Sink) snapshot() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Handle implements [sink.Sink]. Its error is that of the text file.
func (s *Sink) Handle(r event.Record) error {
	s.handling.Lock()
	defer s.handling.Unlock()
	if s.closed {
		return sink.ErrClosed
	}
	s.mu.Lock()
	s.state.take(r)
	s.mu.Unlock()
	// A clock that was set back must not let the file grow old.
	if since := r.At().Sub(s.written); s.file == "" || 0 <= since && since < writeEvery {
		return nil
	}
	s.written = r.At()
	return s.write()
}

// write puts a new version of the text file in place of the old one.
func (s *Sink) write() error {
	if err := prometheus.WriteToTextfile(s.file, s.registry); err != nil {
		return fmt.Errorf("metrics file: %w", err)
	}
	return nil
}

// Close implements [sink.Sink]. The text file stays, and says how the run ended.
func (s *Sink) Close() error {
	s.handling.Lock()
	defer s.handling.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.file != "" && s.snapshot().said {
		err = s.write()
	}
	if s.server != nil {
		err = errors.Join(err, s.server.close())
	}
	return err
}
