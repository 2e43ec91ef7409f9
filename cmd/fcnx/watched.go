package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train/control"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui"
	"github.com/fcnx/fcnx/tui/feed"
)

// watchedRun is a run directory as the dashboard sees it ([tui.Source]). The run of
// a trainer that has just been started has no directory yet.
type watchedRun struct {
	by      string // who asks, in the events
	trainer *trainer

	mu   sync.Mutex
	run  *checkpoints.Run // nil: not known yet
	feed feed.Feed
}

// openWatched opens a run that exists.
func openWatched(dir, by string) (*watchedRun, error) {
	run, err := checkpoints.OpenRun(filepath.Clean(dir))
	if err != nil {
		return nil, dataError(err)
	}
	return &watchedRun{by: by, run: run, feed: feed.Follow(run.EventsPath(), time.Now)}, nil
}

// found tells where the run of a new trainer is.
func (w *watchedRun) found(dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.run = &checkpoints.Run{Dir: dir}
	w.feed = feed.Follow(w.run.EventsPath(), time.Now)
}

func (w *watchedRun) open() (*checkpoints.Run, feed.Feed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.run, w.feed
}

// Next implements [feed.Feed].
func (w *watchedRun) Next() (feed.Chunk, error) {
	if _, f := w.open(); f != nil {
		return f.Next()
	}
	return feed.Chunk{Now: time.Now()}, nil
}

// Close implements [feed.Feed].
func (w *watchedRun) Close() error {
	if _, f := w.open(); f != nil {
		return f.Close()
	}
	return nil
}

// Name implements [tui.Source].
func (w *watchedRun) Name() string {
	run, _ := w.open()
	if run == nil {
		return "new run"
	}
	if dir, err := filepath.Abs(run.Dir); err == nil {
		return filepath.Base(dir) // of "." too
	}
	return filepath.Base(run.Dir)
}

// Dir implements [tui.Source].
func (w *watchedRun) Dir() string {
	if run, _ := w.open(); run != nil {
		return run.Dir
	}
	return ""
}

// Replayed implements [tui.Source].
func (w *watchedRun) Replayed() bool {
	_, f := w.open()
	_, replayed := f.(*feed.Replayer)
	return replayed
}

// Life implements [tui.Source]. Whoever holds the run's lock trains it, on whatever
// host, as far as the file system tells.
func (w *watchedRun) Life() (tui.Life, error) {
	if w.trainer != nil {
		if _, over := w.trainer.exit(); over {
			return tui.Gone, nil
		}
		return tui.Running, nil
	}
	run, _ := w.open()
	_, held, err := run.Holder()
	switch {
	case held:
		return tui.Running, nil
	case err != nil:
		return tui.Unknown, err
	}
	return tui.Gone, nil
}

// Ask implements [tui.Source].
func (w *watchedRun) Ask(action string) error {
	run, _ := w.open()
	switch {
	case run != nil:
		trainer, _, _ := run.Holder() // where nobody is known to train, nobody's clock matters
		return control.Ask(run.Dir, control.Request{Time: askedAt(time.Now(), trainer), Action: action, By: w.by})
	case action == event.ActionStop:
		return w.trainer.signal(os.Interrupt)
	}
	return errors.New("the run has not begun yet")
}

// Status implements [tui.Source].
func (w *watchedRun) Status() string {
	if w.trainer != nil {
		if said := w.trainer.said(); said != "" {
			return said
		}
		return "opening data, plugin and weights"
	}
	return "it has not said anything yet"
}

// replay is a watchedRun whose records are played.
type replay struct {
	*watchedRun
	player *feed.Replayer
}

func openReplay(dir string, o feed.ReplayOptions) (*replay, error) {
	run, err := checkpoints.OpenRun(filepath.Clean(dir))
	if err != nil {
		return nil, dataError(err)
	}
	player, err := feed.Replay(run.EventsPath(), o)
	if err != nil {
		return nil, dataError(err)
	}
	return &replay{&watchedRun{run: run, feed: player}, player}, nil
}

// Life implements [tui.Source]: a recording has none.
func (*replay) Life() (tui.Life, error) { return tui.Unknown, nil }

// SetSpeed implements [tui.Player].
func (r *replay) SetSpeed(x float64) { r.player.SetSpeed(x) }

// Speed implements [tui.Player].
func (r *replay) Speed() float64 { return r.player.Speed() }

// Pause implements [tui.Player].
func (r *replay) Pause(on bool) { r.player.Pause(on) }

// lastLines is the end of a text that somebody wrote to standard error.
func lastLines(r io.ReaderAt, size int64, n int) string {
	const most = 4096
	from := max(size-most, 0)
	text, err := io.ReadAll(io.NewSectionReader(r, from, most))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
