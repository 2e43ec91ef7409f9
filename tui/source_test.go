package tui

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui/feed"
)

// recording is a Source of records that a real run has said, up to a place.
type recording struct {
	name, dir string
	replayed  bool

	mu      sync.Mutex
	records []event.Record
	now     time.Time
	life    Life
	asked   []string
	refuse  error
	fail    error
}

func (r *recording) Next() (feed.Chunk, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := feed.Chunk{Records: r.records, Now: r.now, Read: 1, Size: 1}
	r.records = nil
	return c, r.fail
}
func (r *recording) Close() error   { return nil }
func (r *recording) Name() string   { return r.name }
func (r *recording) Dir() string    { return r.dir }
func (r *recording) Replayed() bool { return r.replayed }
func (r *recording) Status() string { return "opening data, plugin and weights" }

func (r *recording) Life() (Life, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.life, nil
}

func (r *recording) Ask(action string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, action)
	return r.refuse
}

// say adds records of a run that goes on.
func (r *recording) say(records ...event.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, records...)
	r.now = records[len(records)-1].At()
}

// camvid are the records of a run on CamVid, the one that the README shows, up to and
// with the first for which last says so.
func camvid(t testing.TB, last func(event.Record) bool) *recording {
	t.Helper()
	file, err := os.Open("testdata/camvid.jsonl")
	require.NoError(t, err)
	defer file.Close()
	r := &recording{name: "camvid", dir: "runs/camvid", life: Running}
	reader := event.NewReader(bufio.NewReader(file))
	for {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return r
		}
		require.NoError(t, err)
		r.records, r.now = append(r.records, rec), rec.At()
		if last(rec) {
			return r
		}
	}
}

func never(event.Record) bool { return false }

// atStep stops after a step.
func atStep(step int64) func(event.Record) bool {
	return func(r event.Record) bool { s, ok := r.(event.Step); return ok && s.Step == step }
}

// inPhase stops where a phase begins after a step.
func inPhase(name string, after int64) func(event.Record) bool {
	return func(r event.Record) bool { p, ok := r.(event.Phase); return ok && p.Name == name && p.Step >= after }
}

// dashboard is a Model that has read all that its sources have said so far.
func dashboard(t testing.TB, sources ...*recording) *Model {
	t.Helper()
	var all []Source
	for _, s := range sources {
		all = append(all, s)
	}
	m := New(Options{Now: func() time.Time { return sources[0].now }, Color: true, Zone: time.UTC}, all...)
	require.NoError(t, m.Load())
	return m
}
