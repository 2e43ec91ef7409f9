package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// Terminal is where a dashboard is shown.
type Terminal struct {
	In      io.Reader
	Out     io.Writer
	Environ []string
	// Profile is how many colours it has; nil: found out from the environment.
	Profile *colorprofile.Profile
}

// PanicError is a bug of the dashboard. The terminal is restored before it is
// returned, and the run knows nothing of it.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("the dashboard broke: %v", e.Value) }

// Show runs the dashboard until it is left, or ctx ends. The terminal is then as it
// was.
func (m *Model) Show(ctx context.Context, t Terminal) (Leaving, error) {
	g := &guard{model: m}
	options := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithInput(t.In), tea.WithOutput(t.Out), tea.WithEnvironment(t.Environ),
		// Signals are the command's: it forwards them to the run.
		tea.WithoutSignalHandler(),
		// It redraws by its own clock; a higher rate would only cost.
		tea.WithFPS(20),
	}
	if t.Profile != nil {
		options = append(options, tea.WithColorProfile(*t.Profile))
	}
	_, err := tea.NewProgram(g, options...).Run()
	if g.broken != nil {
		return Hidden, g.broken
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, tea.ErrProgramKilled) {
		return Hidden, nil
	}
	return m.Left(), err
}

// guard is a Model whose panics end the dashboard in good order: Bubble Tea would
// restore the terminal too, but print a stack over the shell and tell nobody where
// the run is.
type guard struct {
	model  *Model
	broken *PanicError
}

func (g *guard) Init() (cmd tea.Cmd) {
	defer g.rescue(&cmd)
	return g.guarded(g.model.Init())
}

func (g *guard) Update(msg tea.Msg) (self tea.Model, cmd tea.Cmd) {
	self = g // also where the rest panics
	if broken, ok := msg.(*PanicError); ok {
		g.broken = broken
	}
	if g.broken != nil { // View may have noticed first
		return g, tea.Quit
	}
	defer g.rescue(&cmd)
	_, cmd = g.model.Update(msg)
	return g, g.guarded(cmd)
}

func (g *guard) View() (view tea.View) {
	defer func() {
		if r := recover(); r != nil {
			g.broken = &PanicError{r, debug.Stack()}
		}
	}()
	if g.broken != nil {
		return tea.NewView("")
	}
	return g.model.View()
}

func (g *guard) rescue(cmd *tea.Cmd) {
	if r := recover(); r != nil {
		g.broken = &PanicError{r, debug.Stack()}
		*cmd = tea.Quit
	}
}

// guarded catches the panics of a command, which runs in a goroutine of its own.
func (g *guard) guarded(cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	return func() (msg tea.Msg) {
		defer func() {
			if r := recover(); r != nil {
				msg = &PanicError{r, debug.Stack()}
			}
		}()
		switch out := cmd().(type) {
		case tea.BatchMsg:
			for i := range out {
				out[i] = g.guarded(out[i])
			}
			return out
		default:
			return out
		}
	}
}
