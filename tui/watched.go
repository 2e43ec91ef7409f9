package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/fcnx/fcnx/tui/history"
)

// watched is one run and what is known of it.
type watched struct {
	source  Source
	history *history.Run
	now     time.Time // the run's: the wall clock, or the replay's
	life    Life
	lifeAt  time.Time // of the last look at it
	heardAt time.Time // when the last record came
	status  string    // of the source
	asking  bool      // a poll is under way
	probing bool      // a look at its life is
	read    int64
	size    int64
	ended   bool // a replay is at its end
	bad     int  // lines that are no records
	err     error
	steps   uint64     // version of the steps that the panels show
	stepsAt time.Time  // since when
	classes []classRow // in label order, as of version rowsOf of the evaluations
	rowsOf  uint64
}

// live tells whether there is a process that can be asked, as far as one can tell.
func (m *Model) live(w *watched) bool {
	switch {
	case w.source.Replayed():
		return false
	case m.options.Attached: // our own process, of which nobody is in doubt
		return w.life == Running && !w.history.State().Over()
	}
	return w.life != Gone && !w.silent() && !w.history.State().Over()
}

// poll looks for new records of every run, and now and then for a sign of life.
func (m *Model) poll() tea.Cmd {
	var cmds []tea.Cmd
	for _, w := range m.runs {
		if !w.asking && !m.frozen {
			w.asking = true
			cmds = append(cmds, func() tea.Msg {
				chunk, err := w.source.Next()
				return chunkMsg{w, chunk, err}
			})
		}
		if !w.probing && m.now.Sub(w.lifeAt) >= time.Second {
			w.probing, w.lifeAt = true, m.now
			cmds = append(cmds, func() tea.Msg {
				life, err := w.source.Life()
				if err != nil {
					life = Unknown
				}
				return lifeMsg{w, life, w.source.Status()}
			})
		}
	}
	return tea.Batch(cmds...)
}

// silence is how long a run whose lock is free must have said nothing to be given
// up: a process tells of its machine every two seconds, and the last records of one
// that has ended may not have been read yet.
const silence = 3 * time.Second

// fold takes new records in. The screen shows them at one of the next ticks: however
// fast records come, it is drawn at the same pace.
func (m *Model) fold(msg chunkMsg) tea.Cmd {
	w, c := msg.run, msg.chunk
	w.asking = false
	if w.err = msg.err; w.err != nil {
		return nil
	}
	if c.Reset {
		w.history, w.classes = history.New(), nil
		m.view++ // its versions begin anew
	}
	wasOver := w.history.State().Over()
	for _, r := range c.Records {
		w.history.Add(r)
	}
	w.now, w.read, w.size, w.ended = c.Now, c.Read, c.Size, c.Ended
	w.bad += c.Bad
	if len(c.Records) > 0 || c.More {
		w.heardAt = m.now
	} else if w.life == Gone && m.now.Sub(w.heardAt) >= silence {
		w.lose(m.now)
	}
	if w.history.State().Over() && !wasOver {
		m.summary = true // however many keys were pressed before
	}
	if c.More && !m.frozen {
		return m.poll()
	}
	return nil
}

// lose gives a run up that has not said that it ended.
func (w *watched) lose(now time.Time) {
	if !w.silent() && !w.history.State().Over() {
		w.history.Lose(now)
	}
}
