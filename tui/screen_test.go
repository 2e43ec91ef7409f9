package tui

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

// Every screen has exactly its size, from nothing to a wall, in every state.
func TestScreensHaveTheirSize(t *testing.T) {
	for state, r := range states(t) {
		m := dashboard(t, r)
		screens := [][]string{nil}
		if state == "training" {
			screens = [][]string{nil, {"?"}, {"esc", "z"}, {"5"}, {"9"}, {"q"}, {"esc", "a"}}
		}
		for _, keys := range screens {
			m.Screen(120, 40)
			press(t, m, keys...)
			for w := 1; w <= 300; w += 1 + w/4 {
				for h := 1; h <= 100; h += 1 + h/3 {
					lines := m.Screen(w, h)
					require.Len(t, lines, h, "%s %v at %dx%d", state, keys, w, h)
					for _, line := range lines {
						require.Equal(t, w, ansi.StringWidth(line), "%s %v at %dx%d: %q", state, keys, w, h, line)
					}
				}
			}
		}
	}
}

// Without UTF-8 nothing but ASCII is written, whatever is on the screen.
func TestASCIIOnly(t *testing.T) {
	for state, r := range states(t) {
		m := dashboard(t, r)
		m.setASCII(true)
		for p := 1; p <= panels; p++ {
			press(t, m, fmt.Sprint(p))
			screen := ansi.Strip(strings.Join(m.Screen(120, 40), "\n"))
			require.Equal(t, strings.Count(screen, "? help"), strings.Count(screen, "?"), "no glyph had to be replaced\n%s", screen)
			for _, c := range screen {
				require.Less(t, c, rune(127), "%q in %s, panel %d", c, state, p)
			}
		}
	}
}

// The golden screens in colours, once for a dark terminal and once for a light one.
func TestGoldenColors(t *testing.T) {
	for name, dark := range map[string]bool{"dark": true, "light": false} {
		m := dashboard(t, camvid(t, atStep(912)))
		background := color.RGBA{255, 255, 255, 255}
		if dark {
			background = color.RGBA{0, 0, 0, 255}
		}
		m.Update(tea.BackgroundColorMsg{Color: background})
		golden(t, "colors-"+name, strings.Join(m.Screen(120, 40), "\n")+"\n")
	}
}

// What names from elsewhere hold never reaches the terminal as a command.
func TestHostileNames(t *testing.T) {
	evil := "\x1b[2J\x1b]0;pwned\a\u202e\nx"
	r := &recording{name: evil, life: Running}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	iou := event.Float(0.5)
	r.say(
		event.Started{Head: event.Head{Time: now}, Run: evil, Model: evil, Encoder: evil, Data: evil, Classes: []string{evil}, Colors: []string{evil}, Backend: evil, Plugin: evil, Steps: 10},
		event.Step{Head: event.Head{Time: now}, Step: 1, Loss: 1},
		event.Eval{Head: event.Head{Time: now}, Step: 1, ClassIoU: map[string]*event.Float{evil: &iou}},
		event.Note{Head: event.Head{Time: now}, Text: evil, Level: evil},
		event.Preview{Head: event.Head{Time: now}, Step: 1, Images: []event.PreviewImage{{ID: evil, Truth: evil, Result: evil, Worst: evil}}},
		event.System{Head: event.Head{Time: now}, GPUs: []event.GPU{{Name: evil}}},
		event.Finished{Head: event.Head{Time: now}, Step: 1, Reason: event.ReasonFailed, Error: evil},
	)
	m := dashboard(t, r)
	for p := 1; p <= panels; p++ {
		press(t, m, fmt.Sprint(p))
		text := strings.Join(m.Screen(200, 60), "\n")
		require.NotContains(t, text, "\x1b[2J")
		require.NotContains(t, text, "\x1b]")
		require.NotContains(t, text, "\a")
		require.Len(t, strings.Split(text, "\n"), 60)
	}
	require.NotContains(t, m.windowTitle(), "\x1b")
}

// A picture that a run has kept, in half blocks and in letters.
func TestPicturePanel(t *testing.T) {
	r := camvid(t, atStep(912))
	r.say(event.Preview{Head: event.Head{Time: r.now}, Step: 874, Images: []event.PreviewImage{
		{ID: "a", Truth: "preview/0.png", Result: "preview/1.png", Errors: 0.12, Boundary: 0.61, Worst: "pole"},
		{ID: "b", Truth: "preview/2.png", Result: "gone.png"},
	}})
	m := New(Options{Now: func() time.Time { return r.now }, Color: true, Picture: func(dir, path string) (image.Image, image.Image, error) {
		if path == "gone.png" {
			return nil, nil, errors.New("gone.png: no such file")
		}
		require.Equal(t, "runs/camvid", dir)
		a, b := image.NewNRGBA(image.Rect(0, 0, 40, 30)), image.NewNRGBA(image.Rect(0, 0, 40, 30))
		for i := range a.Pix {
			a.Pix[i], b.Pix[i] = uint8(i), 128
		}
		return a, b, nil
	}}, r)
	require.NoError(t, m.Load())
	m.Screen(120, 40)
	press(t, m, "5", "z")
	got := screen(m)
	require.Contains(t, got, "Picture 1/2")
	require.Contains(t, got, "step 874  a  12.0% wrong, 61% of it at borders  worst pole")
	require.Contains(t, got, "prediction")
	require.Contains(t, got, "▀▀▀▀▀▀▀▀▀▀")
	press(t, m, "right")
	require.NoError(t, m.Load())
	require.Contains(t, screen(m), "gone.png: no such file")
	press(t, m, "a", "left")
	require.NotContains(t, screen(m), "▀")
}

// Several runs share charts and a table; one of them can be looked at alone.
func TestComparison(t *testing.T) {
	a, b := camvid(t, atStep(912)), camvid(t, never)
	b.name, b.life = "other", Gone
	m := dashboard(t, a, b)
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		golden(t, fmt.Sprintf("comparison-%dx%d", size[0], size[1]), plainly(m.Screen(size[0], size[1])))
	}
	press(t, m, "tab", "enter")
	require.Contains(t, screen(m), "other")
	require.Contains(t, screen(m), "IoU by class")
	press(t, m, "q")
	require.Contains(t, screen(m), "2 runs")
}

// A bug of the dashboard ends the dashboard, with the terminal as it was.
func TestPanicRestoresTheTerminal(t *testing.T) {
	var out strings.Builder
	r := camvid(t, atStep(10))
	broken := &breaks{recording: r}
	m := New(Options{Now: time.Now, Color: true}, broken)
	_, err := m.Show(t.Context(), Terminal{In: nil, Out: &lockedWriter{w: &out}, Environ: []string{"TERM=xterm-256color"}})
	var bug *PanicError
	require.ErrorAs(t, err, &bug)
	require.Equal(t, "a bug", bug.Value)
	require.Contains(t, string(bug.Stack), "breaks")
	require.Equal(t, strings.Count(out.String(), "\x1b[?1049h"), strings.Count(out.String(), "\x1b[?1049l"), "the other screen was entered and left")
}

// breaks is a Source with a bug.
type breaks struct{ *recording }

func (*breaks) Life() (Life, error) { panic("a bug") }

type lockedWriter struct{ w io.Writer }

func (l *lockedWriter) Write(p []byte) (int, error) { return l.w.Write(p) }

// The end of the context takes the screen away and nothing else.
func TestShowEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	m := New(Options{Now: time.Now}, camvid(t, atStep(10)))
	why, err := m.Show(ctx, Terminal{In: nil, Out: io.Discard, Environ: []string{"TERM=xterm"}})
	require.NoError(t, err)
	require.Equal(t, Hidden, why)
}

// A panic in Update or View ends the dashboard like one in a command: no stack on
// the shell, the terminal as it was.
func TestPanicOfTheModelRestoresTheTerminal(t *testing.T) {
	for name, spoil := range map[string]func(m *Model){
		"Update": func(m *Model) { m.runs[0].history = nil },
		"View":   func(m *Model) { m.runs[0].source = nil },
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			m := New(Options{Now: time.Now, Color: true}, camvid(t, atStep(10)))
			spoil(m)
			_, err := m.Show(t.Context(), Terminal{In: nil, Out: &lockedWriter{w: &out}, Environ: []string{"TERM=xterm-256color"}})
			var bug *PanicError
			require.ErrorAs(t, err, &bug)
			require.NotContains(t, out.String(), "goroutine ")
			require.NotContains(t, out.String(), "Caught panic")
			require.Equal(t, strings.Count(out.String(), "\x1b[?1049h"), strings.Count(out.String(), "\x1b[?1049l"))
		})
	}
}

// Pictures of one run are not those of another, nor of the same step done again.
func TestPicturesBelongToTheirRun(t *testing.T) {
	var asked []string
	previews := func(r *recording) {
		r.say(event.Preview{Head: event.Head{Time: r.now}, Step: 874, Images: []event.PreviewImage{{ID: "a", Truth: "preview/0.png", Result: "preview/1.png"}}})
	}
	a, b := camvid(t, atStep(912)), camvid(t, atStep(912))
	a.dir, b.dir = "runs/a", "runs/b"
	previews(a)
	previews(b)
	m := New(Options{Now: func() time.Time { return a.now }, Color: true, Picture: func(dir, path string) (image.Image, image.Image, error) {
		asked = append(asked, dir+"/"+path)
		return image.NewNRGBA(image.Rect(0, 0, 4, 3)), image.NewNRGBA(image.Rect(0, 0, 4, 3)), nil
	}}, a, b)
	m.alone = true
	require.NoError(t, m.Load())
	m.chosen = 1
	require.NoError(t, m.Load())
	require.NoError(t, m.Load())
	require.Equal(t, []string{"runs/a/preview/0.png", "runs/a/preview/1.png", "runs/b/preview/0.png", "runs/b/preview/1.png"}, asked)
	b.now = b.now.Add(time.Minute)
	previews(b)
	require.NoError(t, m.Load())
	require.Len(t, asked, 6)
}

// A run is lost when its lock is free and it has said nothing for a while, and not
// before all that it had said was read.
func TestLost(t *testing.T) {
	r := camvid(t, atStep(912))
	r.life = Gone
	now := r.now
	m := New(Options{Now: func() time.Time { return now }}, r)
	tick := func(after time.Duration) string {
		now = now.Add(after)
		_, cmd := m.Update(tickMsg(now))
		carryOut(m, cmd)
		return string(m.run().history.State())
	}
	require.Equal(t, "training", tick(0))
	require.Equal(t, "training", tick(2*time.Second))
	press(t, m, "space")
	require.Equal(t, "training", tick(time.Minute), "what is frozen is not read, so nothing can be missed")
	press(t, m, "space")
	require.Equal(t, "lost", tick(time.Second))
	r.say(event.Step{Head: event.Head{Time: r.now.Add(time.Second)}, Step: 913, Loss: 1})
	require.Equal(t, "training", tick(time.Second), "it was the lock that could not be seen")
	r.say(event.Finished{Head: event.Head{Time: r.now}, Step: 913, Reason: event.ReasonDone})
	require.Equal(t, "done", tick(time.Minute))
}
