package tui

import (
	"time"

	"github.com/fcnx/fcnx/tui/feed"
)

// Life says whether a process trains a run.
type Life int

// The answers.
const (
	Unknown Life = iota // nobody can tell: a replay, a lock that cannot be read
	Running
	Gone
)

// Source is a run as the dashboard meets it: its records, its directory, and the
// process that trains it. A live run, one from another day and a replay differ only
// here. Next, Life and Ask may take their time: the dashboard calls them from
// commands, never from Update, and each at most once at a time.
type Source interface {
	feed.Feed
	// Name is what the run is called on the screen.
	Name() string
	// Dir is the run directory, "" as long as it is not known.
	Dir() string
	// Replayed says that this is a recording: nothing can be asked of it.
	Replayed() bool
	// Life tells whether a process trains the run now.
	Life() (Life, error)
	// Ask asks for an action of package event. What comes of it is told by the records.
	Ask(action string) error
	// Status is what to show before the first record: one line.
	Status() string
}

// Player is a Source whose time can be changed.
type Player interface {
	SetSpeed(float64)
	Speed() float64
	Pause(bool)
}

// The rhythm of the dashboard. A key is answered at once; what changes by itself is
// drawn as often as one can read it, since the dashboard runs on the cores on which
// the run may be training.
const (
	refresh      = 100 * time.Millisecond // between two looks at the records
	redraw       = 250 * time.Millisecond // between two drawings of the screen
	redrawCharts = 700 * time.Millisecond // between two drawings of what every step changes
)
