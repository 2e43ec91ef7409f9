package feed

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

const (
	longPause   = time.Minute     // between two processes: what is longer is shortened
	shortPause  = 5 * time.Second // to this
	longSilence = time.Hour       // within a process: the machine slept, or its clock was set
)

// MaxSpeed bounds the speed of a replay.
const MaxSpeed = 1e6

// ReplayOptions say how to play a run.
type ReplayOptions struct {
	Speed float64          // how much faster than the run was; 0: as fast
	At    Place            // what is before it comes at once
	Now   func() time.Time // nil: time.Now
}

// Replayer plays the records of a file as they came. It is safe for concurrent
// use.
type Replayer struct {
	path string
	at   Place
	now  func() time.Time
	size int64

	mu      sync.Mutex // of what follows
	file    *os.File
	lines   lines
	next    event.Record // read but not due yet; nil: none
	nextAt  time.Duration
	bad     int           // lines that the next chunk has to tell of
	last    time.Time     // the time of the newest record that was released
	lastAt  time.Duration // the same in the time of the replay
	begun   bool          // a record was read
	skipped bool          // the place where it begins is reached
	ended   bool

	playback sync.Mutex // of what follows; never held for long
	speed    float64
	paused   bool
	since    time.Time     // wall clock
	played   time.Duration // time of the replay at since
}

// Replay opens the file at path to play it.
func Replay(path string, o ReplayOptions) (*Replayer, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Speed == 0 {
		o.Speed = 1
	}
	if !(o.Speed > 0 && o.Speed <= MaxSpeed) {
		return nil, fmt.Errorf("speed %v: a replay needs one above 0 and at most %v", o.Speed, float64(MaxSpeed))
	}
	file, info, err := openRegular(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: there is no run to replay", path)
	}
	if err != nil {
		return nil, nameFile(path, err)
	}
	r := &Replayer{path: path, at: o.At, now: o.Now, size: info.Size(), file: file, lines: lines{file: file}, speed: o.Speed, since: o.Now()}
	return r, nil
}

// Next implements [Feed]: the records whose time has come.
func (r *Replayer) Next() (Chunk, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	chunk := Chunk{Size: r.size}
	if r.file == nil {
		return chunk, fmt.Errorf("%s: %w", r.path, os.ErrClosed)
	}
	err := r.release(&chunk)
	chunk.Bad, r.bad = r.bad, 0
	chunk.Read = min(r.lines.at, r.size)
	chunk.Ended = r.ended
	chunk.Now = r.last
	if r.last.IsZero() {
		chunk.Now = r.now()
	}
	if played := r.position(); r.skipped && !r.ended && !r.last.IsZero() && played > r.lastAt {
		chunk.Now = r.last.Add(played - r.lastAt)
	}
	if err != nil && len(chunk.Records) == 0 {
		return chunk, nameFile(r.path, err)
	}
	return chunk, nil
}

func (r *Replayer) release(chunk *Chunk) error {
	budget := newBudget(r.now, r.lines.at)
	due := r.position()
	for !r.ended {
		if r.next == nil {
			if err := r.advance(budget); err != nil {
				return err
			}
			if r.next == nil {
				chunk.More = !r.ended
				return nil
			}
		}
		if r.skipped && r.nextAt > due {
			return nil
		}
		rec := r.next
		chunk.Records = append(chunk.Records, rec)
		r.next, r.lastAt = nil, r.nextAt
		if at := rec.At(); !at.IsZero() {
			r.last = at
		}
		if !r.skipped && r.at.reached(rec, r.lines.at, r.size, r.lastAt) {
			r.skipped = true
			r.playFrom(r.lastAt)
			due = r.lastAt
		}
		if budget.spent(r.lines.at) {
			chunk.More = true
			return nil
		}
	}
	return nil
}

// advance reads the next record, unless the budget is spent on lines that are none
// or the file is at its end. A torn last line is left alone.
func (r *Replayer) advance(budget *budget) error {
	for {
		line, what, err := r.lines.next()
		if err != nil {
			return err
		}
		switch what {
		case torn:
			r.lines.forget()
			r.ended = true
			return nil
		case bad:
			r.bad++
		case whole:
			rec, err := event.Unmarshal(line)
			if err != nil {
				r.bad++
				break
			}
			r.next, r.nextAt = rec, later(r.lastAt, r.gap(rec))
			r.begun = true
			return nil
		}
		if budget.spent(r.lines.at) {
			return nil
		}
	}
}

// gap is how long the replay waits for a record after the one before: as long as
// the run did, but for pauses in which nothing happened.
func (r *Replayer) gap(rec event.Record) time.Duration {
	if !r.begun || r.last.IsZero() || rec.At().IsZero() {
		return 0
	}
	gap := max(0, rec.At().Sub(r.last))
	if _, starts := rec.(event.Started); starts && gap > longPause {
		return shortPause
	}
	return min(gap, longSilence)
}

func later(at, gap time.Duration) time.Duration {
	if at > math.MaxInt64-gap {
		return math.MaxInt64
	}
	return at + gap
}

// position is the time of the replay.
func (r *Replayer) position() time.Duration {
	r.playback.Lock()
	defer r.playback.Unlock()
	return r.positionAt(r.now())
}

func (r *Replayer) positionAt(now time.Time) time.Duration {
	if r.paused {
		return r.played
	}
	ns := float64(max(0, now.Sub(r.since))) * r.speed
	if ns >= float64(math.MaxInt64-r.played) {
		return math.MaxInt64
	}
	return r.played + time.Duration(ns)
}

// playFrom lets the replay go on from a time of it, now.
func (r *Replayer) playFrom(at time.Duration) {
	r.playback.Lock()
	defer r.playback.Unlock()
	r.played, r.since = at, r.now()
}

// SetSpeed changes the speed from now on, within what [Replay] allows; what is no
// speed changes nothing.
func (r *Replayer) SetSpeed(x float64) {
	if !(x > 0) {
		return
	}
	r.playback.Lock()
	defer r.playback.Unlock()
	now := r.now()
	r.played, r.since, r.speed = r.positionAt(now), now, min(x, MaxSpeed)
}

// Speed is how much faster than the run the replay is.
func (r *Replayer) Speed() float64 {
	r.playback.Lock()
	defer r.playback.Unlock()
	return r.speed
}

// Pause stops the time of the replay, or lets it go on.
func (r *Replayer) Pause(paused bool) {
	r.playback.Lock()
	defer r.playback.Unlock()
	now := r.now()
	r.played, r.since, r.paused = r.positionAt(now), now, paused
}

// Paused tells whether the replay's time stands still.
func (r *Replayer) Paused() bool {
	r.playback.Lock()
	defer r.playback.Unlock()
	return r.paused
}

// Close implements [Feed].
func (r *Replayer) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}
