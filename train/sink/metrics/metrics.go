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
	server   *server   // nil: none
	file     *textFile // nil: none

	mu      sync.Mutex // held for moments; a scrape needs it too
	state   state
	closed  bool
	updated time.Time // when the file was due, by the records' clock
}

// Open begins to serve. An address that cannot be had and a directory that cannot
// be written to are errors; the file itself is left as it is until there is
// something to say.
func Open(c Config) (*Sink, error) {
	s := &Sink{registry: prometheus.NewPedanticRegistry()}
	if err := s.registry.Register(newCollector(s.snapshot)); err != nil {
		return nil, err
	}
	if c.File != "" {
		if err := writable(c.File); err != nil {
			return nil, fmt.Errorf("metrics cannot be written to %s: %w; choose another run.metrics_file", c.File, err)
		}
		s.file = newTextFile(c.File, s.registry)
	}
	if c.Addr != "" {
		var err error
		if s.server, err = serve(c.Addr, s.registry); err != nil {
			return nil, fmt.Errorf("metrics cannot be served: %w; choose another run.metrics_addr", err)
		}
	}
	if s.file != nil {
		s.file.start()
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

// Handle implements [sink.Sink], and waits for no disk and no network. Its error is
// that of an earlier write of the text file, each once.
func (s *Sink) Handle(r event.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return sink.ErrClosed
	}
	s.state.take(r)
	if s.file == nil {
		return nil
	}
	// A clock that was set back must not let the file grow old.
	if since := r.At().Sub(s.updated); since < 0 || since >= writeEvery {
		s.updated = r.At()
		s.file.update()
	}
	return s.file.failed()
}

// Close implements [sink.Sink]. The text file stays, and says how the run ended. It is
// waited for five seconds at most.
func (s *Sink) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	var err error
	if s.file != nil {
		err = s.file.close(s.snapshot().said)
	}
	if s.server != nil {
		err = errors.Join(err, s.server.close())
	}
	return err
}
