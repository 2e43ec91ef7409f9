package metrics

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// closeWait is how long the end of a run waits for the text file.
const closeWait = 5 * time.Second

// textFile is written by a goroutine of its own: a disk that stalls, as one behind a
// network can, must hold up neither a run nor a scrape.
type textFile struct {
	path  string
	write func() error // puts a new version in place of the old one

	due  chan struct{} // one may wait: what it writes is of the moment when it writes
	lost chan error    // of a write, until somebody asks
	quit chan bool     // whether to write once more
	done chan error    // of that
}

func newTextFile(path string, registry *prometheus.Registry) *textFile {
	return &textFile{
		path:  path,
		write: func() error { return prometheus.WriteToTextfile(path, registry) },
		due:   make(chan struct{}, 1), lost: make(chan error, 1), quit: make(chan bool, 1), done: make(chan error, 1),
	}
}

// start begins to write when it is told to.
func (f *textFile) start() { go f.run() }

func (f *textFile) run() {
	for {
		select {
		case <-f.due:
			if err := f.write(); err != nil {
				select {
				case f.lost <- fmt.Errorf("metrics file: %w", err):
				default: // there is one to be told of already
				}
			}
		case again := <-f.quit:
			var err error
			if again {
				err = f.write()
			}
			f.done <- err
			return
		}
	}
}

// update has a new version written soon. It waits for nothing.
func (f *textFile) update() {
	select {
	case f.due <- struct{}{}:
	default:
	}
}

// failed is the error of an earlier write that nobody was told of yet.
func (f *textFile) failed() error {
	select {
	case err := <-f.lost:
		return err
	default:
		return nil
	}
}

// close writes a last version, if there is anything to say, and does not wait for it
// for ever.
func (f *textFile) close(again bool) error {
	f.quit <- again
	limit := time.NewTimer(closeWait)
	defer limit.Stop()
	select {
	case err := <-f.done:
		if err != nil {
			return fmt.Errorf("metrics file: %w", err)
		}
		return nil
	case <-limit.C:
		return fmt.Errorf("metrics file: %s could not be written for %v; it does not say how the run ended", f.path, closeWait)
	}
}
