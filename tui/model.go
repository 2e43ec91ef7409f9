// Package tui is the dashboard: it shows a run while it trains, a run of another
// day, several beside each other, or a recording played at any speed. All of these
// are the same: records that arrive, folded by package history and drawn.
//
// [Model] is the only tea.Model. Panels are plain methods that return lines; what
// they look like is in style.go, where they stand in layout.go, which keys there are
// in keys.go. Update and View read no file and draw nothing whose size grows with
// the run; records, pictures and requests go through commands. The package knows a
// run by its records only, and imports neither GoMLX nor what trains.
package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/fcnx/fcnx/tui/feed"
	"github.com/fcnx/fcnx/tui/history"
)

// Leaving says why a dashboard was left.
type Leaving int

// The reasons.
const (
	Quit     Leaving = iota // nothing is going on that could go on
	Detached                // the run goes on
	Stopping                // the run was asked to stop, and has ended
	Hidden                  // the terminal or the process was taken away
)

// Options are what a dashboard is made with.
type Options struct {
	Now   func() time.Time
	ASCII bool // no character above 126
	Color bool // false: colour would not be seen, so nothing may depend on it
	// Kitty lets pictures be drawn by the Kitty protocol where the terminal says
	// that it knows it.
	Kitty bool
	// Attached says that this dashboard started the process that trains.
	Attached bool
	// Zone is where the clock of the log is; nil: this machine's.
	Zone *time.Location
	// Still is for one frame that nobody can press a key on.
	Still bool
	// Picture reads one of a run's picture files.
	Picture PictureReader
}

// Model is the whole state of the screen.
type Model struct {
	options       Options
	runs          []*watched
	chosen        int  // of runs
	alone         bool // of several runs only the chosen one is shown
	width, height int
	styles        styles
	glyphs        glyphs
	ascii, color  bool

	focus   panel
	zoomed  bool
	helping bool
	helpTop int
	frozen  bool
	dialog  *dialog
	summary bool // an ended run shows its end in place of its progress until a key is pressed
	notice  notice

	chart   chartView
	classes classView
	picture pictureView
	logTop  int // lines scrolled back

	now     time.Time // of the last tick
	view    uint64    // grows with every key, size and theme: what panels are cached by
	cache   map[panel]cached
	content string // what View returns
	drawn   time.Time
	leaving *Leaving
}

// New makes a dashboard of one run or several.
func New(o Options, sources ...Source) *Model {
	m := &Model{options: o, focus: lossPanel, color: o.Color, cache: map[panel]cached{}, summary: true}
	m.styles = newStyles(true)
	m.setASCII(o.ASCII)
	for _, s := range sources {
		m.runs = append(m.runs, &watched{source: s, history: history.New()})
	}
	m.chart.smooth = 2
	m.now = o.Now()
	if m.options.Zone == nil {
		m.options.Zone = time.Local
	}
	return m
}

// run is the one that is looked at.
func (m *Model) run() *watched { return m.runs[m.chosen] }

// several tells whether runs are compared on the screen.
func (m *Model) several() bool { return len(m.runs) > 1 && !m.alone }

func (m *Model) setASCII(on bool) {
	m.ascii, m.glyphs = on, newGlyphs(on)
	m.view++
}

// Messages of the dashboard to itself.
type (
	tickMsg  time.Time
	chunkMsg struct {
		run   *watched
		chunk feed.Chunk
		err   error
	}
	lifeMsg struct {
		run    *watched
		life   Life
		status string
	}
	askedMsg struct {
		action string
		err    error
	}
)

// Init implements [tea.Model].
func (m *Model) Init() tea.Cmd {
	cmds := []tea.Cmd{tea.RequestBackgroundColor, tick(), m.poll(), m.queryKitty()}
	return tea.Batch(cmds...)
}

func tick() tea.Cmd { return tea.Tick(refresh, func(t time.Time) tea.Msg { return tickMsg(t) }) }

// Update implements [tea.Model].
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tickMsg:
		m.now = m.options.Now()
		if since := m.now.Sub(m.drawn); since >= redraw || since < 0 {
			m.draw()
		}
		cmd := tea.Batch(tick(), m.poll(), m.wantPicture(), m.encodeKitty())
		return m, m.endOfStop(cmd)
	case chunkMsg:
		return m, m.fold(msg)
	case lifeMsg:
		msg.run.probing, msg.run.life, msg.run.status = false, msg.life, msg.status
		return m, nil
	case askedMsg:
		m.asked(msg)
	case pictureMsg:
		m.picture.arrived(msg)
	case kittyMsg:
		cmd := m.transmit(msg)
		m.view++
		m.draw()
		return m, cmd
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		m.styles = newStyles(msg.IsDark())
	case tea.ColorProfileMsg:
		m.color = m.color && msg.Profile > colorprofile.ASCII
	case tea.KeyPressMsg:
		cmd := m.keyPressed(msg)
		m.view++
		m.draw()
		return m, cmd
	default:
		if !m.hearKitty(msg) {
			return m, nil
		}
	}
	m.view++
	m.draw()
	return m, nil
}

// endOfStop leaves once a run that was asked to stop from here has ended.
func (m *Model) endOfStop(cmd tea.Cmd) tea.Cmd {
	if m.dialog == stoppingDialog && m.run().history.State().Over() {
		return m.leave(Stopping)
	}
	return cmd
}

// View implements [tea.Model]. It returns what the last draw has drawn.
func (m *Model) View() tea.View {
	v := tea.NewView(m.content)
	v.AltScreen = true
	v.WindowTitle = m.windowTitle()
	return v
}

// Dir is the directory of the run that is looked at.
func (m *Model) Dir() string { return m.run().source.Dir() }

// Left is why the dashboard was left.
func (m *Model) Left() Leaving {
	if m.leaving == nil {
		return Hidden
	}
	return *m.leaving
}

func (m *Model) leave(why Leaving) tea.Cmd {
	if why == Detached && (m.several() || !m.live(m.run())) {
		why = Quit
	}
	m.leaving = &why
	return tea.Sequence(m.forgetKitty(), tea.Quit)
}
