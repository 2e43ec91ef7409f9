package tui

import (
	"errors"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

// keyNamed is a key press as Bubble Tea makes it of what a terminal sends.
func keyNamed(name string) tea.KeyPressMsg {
	special := map[string]tea.KeyPressMsg{
		"tab": {Code: tea.KeyTab}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift}, "esc": {Code: tea.KeyEscape},
		"enter": {Code: tea.KeyEnter}, "backspace": {Code: tea.KeyBackspace}, "space": {Code: tea.KeySpace, Text: " "},
		"left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+z": {Code: 'z', Mod: tea.ModCtrl},
	}
	if k, ok := special[name]; ok {
		return k
	}
	return tea.KeyPressMsg{Code: rune(name[0]), Text: name}
}

// press types keys, and carries out the commands that they cause, but for the clock.
func press(t *testing.T, m *Model, keys ...string) (quit bool) {
	t.Helper()
	for _, key := range keys {
		msg := keyNamed(key)
		require.Equal(t, key, msg.String(), "the name of the key")
		_, cmd := m.Update(msg)
		quit = carryOut(m, cmd) || quit
	}
	return quit
}

func carryOut(m *Model, cmd tea.Cmd) (quit bool) {
	if cmd == nil {
		return false
	}
	switch msg := cmd().(type) {
	case nil, tickMsg, tea.SuspendMsg:
	case tea.QuitMsg:
		return true
	case tea.BatchMsg:
		for _, c := range msg {
			quit = carryOut(m, c) || quit
		}
	default:
		_, next := m.Update(msg)
		return carryOut(m, next)
	}
	return quit
}

func screen(m *Model) string { return ansi.Strip(strings.Join(m.Screen(m.width, m.height), "\n")) }

// live is a dashboard of a run that trains, at 120x40.
func live(t *testing.T) (*Model, *recording) {
	r := camvid(t, atStep(912))
	m := dashboard(t, r)
	m.Screen(120, 40)
	return m, r
}

func TestKeys(t *testing.T) {
	tests := map[string]struct {
		keys []string
		want string // on the screen
		not  string
	}{
		"help":                                {[]string{"?"}, "halve the learning rate", "IoU by class"},
		"help and back":                       {[]string{"?", "x"}, "IoU by class", "halve the learning rate"},
		"log scale":                           {[]string{"y"}, "log  full", "lin  full"},
		"smoothing":                           {[]string{"s"}, "smooth 0.98", "smooth 0.9 "},
		"smoothing goes round":                {[]string{"s", "s"}, "smooth 0 ", "smooth 0.98"},
		"the last part":                       {[]string{"w"}, "lin  recent", "lin  full"},
		"zoom in":                             {[]string{"+"}, "456-912", "lin  full"},
		"zoom in and out again":               {[]string{"+", "-"}, "lin  full", "456-912"},
		"pan":                                 {[]string{"+", "left"}, "342-798", "456-912"},
		"pan ends at the beginning":           {[]string{"+", "left", "left", "left", "left", "left", "left"}, " 0-456", "456-912"},
		"back from a zoom":                    {[]string{"+", "esc"}, "lin  full", "456-912"},
		"crosshair":                           {[]string{"["}, "step 912  loss 0.", "smooth 0.9"},
		"crosshair moves":                     {[]string{"[", "["}, "step 897  loss 0.", "smooth 0.9"},
		"crosshair goes":                      {[]string{"[", "esc"}, "smooth", "step 912 loss"},
		"a panel by its number":               {[]string{"7"}, "Learning rate", "IoU by class"},
		"a panel that is there is not zoomed": {[]string{"3"}, "mIoU", ""},
		"full screen":                         {[]string{"3", "z"}, "IoU by class", "mIoU "},
		"full screen and back":                {[]string{"z", "z"}, "IoU by class", ""},
		"order of classes":                    {[]string{"o"}, "─ IoU ▾", "fall since best"},
		"filter":                              {[]string{"/", "p", "o", "enter"}, "/po", "building"},
		"filter is shown while it is typed":   {[]string{"/", "c", "a"}, "/ ca", "building"},
		"filter by mistake":                   {[]string{"/", "x", "backspace", "p", "o", "enter"}, "/po", "building"},
		"filter cleared":                      {[]string{"/", "p", "esc"}, "building", "/p "},
		"keys are letters while one types":    {[]string{"/", "q", "enter"}, "/q", "Leave this run?"},
		"freeze":                              {[]string{"space"}, "frozen: space goes on", ""},
		"ASCII":                               {[]string{"a"}, "+ Loss ---", "─"},
		"ASCII and back":                      {[]string{"a", "a"}, "╭ Loss ───", "+ Loss"},
		"a question before the rate":          {[]string{"L"}, "Halve the learning rate?", ""},
		"no to the question":                  {[]string{"L", "esc"}, "IoU by class", "Halve the learning rate?"},
		"a question before leaving":           {[]string{"q"}, "Leave this run?", ""},
		"ctrl+c asks too":                     {[]string{"ctrl+c"}, "Leave this run?", ""},
		"stay":                                {[]string{"q", "esc"}, "IoU by class", "Leave this run?"},
		"replay keys need a replay":           {[]string{">"}, "this is no recording that is played", ""},
		"ctrl+z leaves the screen as it is":   {[]string{"ctrl+z"}, "IoU by class", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, _ := live(t)
			require.False(t, press(t, m, test.keys...))
			got := screen(m)
			require.Contains(t, got, test.want)
			if test.not != "" {
				require.NotContains(t, got, test.not)
			}
		})
	}
}

// Every key of the table does something, or says why not, on every kind of screen,
// and the help names each.
func TestEveryKeyWorksEverywhere(t *testing.T) {
	for state, r := range states(t) {
		for _, size := range [][2]int{{10, 3}, {60, 16}, {80, 24}, {120, 40}, {200, 60}} {
			m := dashboard(t, r)
			m.Screen(size[0], size[1])
			help := strings.Join(m.helpPage(100, 60), "\n")
			for _, b := range bindings() {
				require.Contains(t, ansi.Strip(help), b.name())
				for key := range strings.FieldsSeq(b.keys) {
					press(t, m, key)
					require.Len(t, m.Screen(size[0], size[1]), size[1], "%s in %s", key, state)
					press(t, m, "esc", "esc")
				}
			}
		}
	}
}

func TestActionsAreAsked(t *testing.T) {
	tests := map[string]struct {
		keys []string
		want []string
		flag string
	}{
		"checkpoint":         {[]string{"c"}, []string{event.ActionSave}, "asked for a checkpoint"},
		"evaluation":         {[]string{"e"}, []string{event.ActionEvaluate}, "asked for an evaluation"},
		"half the rate":      {[]string{"L", "y"}, []string{event.ActionHalveLR}, "asked for half the rate"},
		"half the rate: no":  {[]string{"L", "n"}, nil, ""},
		"stop":               {[]string{"q", "s"}, []string{event.ActionStop}, "Stopping"},
		"c is no answer":     {[]string{"q", "c"}, nil, "Leave this run?"},
		"twice is two times": {[]string{"c", "c"}, []string{event.ActionSave, event.ActionSave}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, r := live(t)
			require.False(t, press(t, m, test.keys...))
			require.Equal(t, test.want, r.asked)
			require.Contains(t, screen(m), test.flag)
		})
	}
	t.Run("what cannot be written is said", func(t *testing.T) {
		m, r := live(t)
		r.refuse = errors.New("runs/camvid/control.jsonl: permission denied")
		press(t, m, "c")
		require.Contains(t, screen(m), "not asked: runs/camvid/control.jsonl: permission denied")
	})
	t.Run("nothing is asked of a run that is over", func(t *testing.T) {
		r := camvid(t, never)
		r.life = Gone
		m := dashboard(t, r)
		m.Screen(120, 40)
		press(t, m, "c", "e", "L")
		require.Empty(t, r.asked)
		require.Contains(t, screen(m), "no process trains this run now")
	})
	t.Run("nor of a recording", func(t *testing.T) {
		m, r := live(t)
		r.replayed = true
		press(t, m, "c", "L")
		require.Empty(t, r.asked)
		require.Contains(t, screen(m), "this is a recording")
	})
}

func TestLeaving(t *testing.T) {
	tests := map[string]struct {
		over bool
		keys []string
		want Leaving
	}{
		"detach":                           {false, []string{"d"}, Detached},
		"detach from the question":         {false, []string{"q", "d"}, Detached},
		"ctrl+c twice never ends a run":    {false, []string{"ctrl+c", "ctrl+c"}, Detached},
		"a run that is over asks nothing":  {true, []string{"q"}, Quit},
		"nothing to detach from":           {true, []string{"d"}, Quit},
		"not waiting for a run that stops": {false, []string{"q", "s", "d"}, Detached},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := camvid(t, atStep(912))
			if test.over {
				r = camvid(t, never)
				r.life = Gone
			}
			m := dashboard(t, r)
			m.Screen(120, 40)
			require.True(t, press(t, m, test.keys...))
			require.Equal(t, test.want, m.Left())
		})
	}
	t.Run("a run that was stopped from here ends the screen", func(t *testing.T) {
		m, r := live(t)
		require.False(t, press(t, m, "q", "s"))
		r.say(event.Finished{Head: event.Head{Time: r.now}, Step: 912, Reason: event.ReasonInterrupted, ExitCode: 143})
		require.NoError(t, m.Load())
		_, cmd := m.Update(tickMsg(r.now))
		require.True(t, carryOut(m, cmd))
		require.Equal(t, Stopping, m.Left())
	})
}
