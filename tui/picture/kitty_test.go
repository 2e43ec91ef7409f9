package picture_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/ansi/kitty"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/tui/picture"
)

var command = regexp.MustCompile(`\x1b_G([^;\x1b]*)(?:;([^\x1b]*))?\x1b\\`)

// A terminal that reads the commands one by one gets the picture back.
func TestTransmit(t *testing.T) {
	img := noise(rand.New(rand.NewPCG(1, 2)), 80, 60) // noise does not compress: many chunks
	out := picture.Transmit(10002, img, 40, 15)
	chunks := command.FindAllStringSubmatch(out, -1)
	require.Greater(t, len(chunks), 2)
	require.Equal(t, "a=T,U=1,f=100,t=d,i=10002,c=40,r=15,q=2,m=1", chunks[0][1])
	var payload, whole strings.Builder
	for i, chunk := range chunks {
		require.LessOrEqual(t, len(chunk[2]), 4096)
		if i > 0 {
			require.Equal(t, map[bool]string{true: "q=2,m=0", false: "q=2,m=1"}[i == len(chunks)-1], chunk[1])
		}
		payload.WriteString(chunk[2])
		whole.WriteString(chunk[0])
	}
	require.Equal(t, out, whole.String(), "nothing but commands")
	data, err := base64.StdEncoding.DecodeString(payload.String())
	require.NoError(t, err)
	got, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, img.Bounds(), got.Bounds())
	require.True(t, bytes.Equal(img.Pix, got.(*image.RGBA).Pix), "the same pixels")

	for _, nothing := range []string{picture.Transmit(1, img, 0, 5), picture.Transmit(1, img, 5, 0),
		picture.Transmit(1, image.NewGray(image.Rectangle{}), 5, 5)} {
		require.Empty(t, nothing)
	}
	require.Contains(t, picture.Transmit(1, image.NewGray(image.Rect(0, 0, 1, 1)), 500, 500), "c=297,r=297,q=2,m=0;")
}

func TestDelete(t *testing.T) {
	require.Equal(t, "\x1b_Ga=d,d=I,i=10002,q=2\x1b\\", picture.Delete(10002))
}

// placeholder is a cell of a picture: its row and its column.
var placeholder = regexp.MustCompile(`\x{10EEEE}(.)(.)`)

func TestPlaceholder(t *testing.T) {
	lines := picture.Placeholder(0x0a0b0c, 3, 2)
	require.Len(t, lines, 2)
	for row, line := range lines {
		require.True(t, strings.HasPrefix(line, "\x1b[38;2;10;11;12m"), "%q", line)
		require.True(t, strings.HasSuffix(line, "\x1b[39m"), "%q", line)
		for col, m := range placeholder.FindAllStringSubmatch(line, -1) {
			require.Equal(t, string(kitty.Diacritic(row))+string(kitty.Diacritic(col)), m[1]+m[2])
		}
	}
	wide := picture.Placeholder(picture.FirstID, 300, 300)
	require.Equal(t, 297, strings.Count(wide[296], string(kitty.Placeholder)))
	require.Equal(t, 300, ansi.StringWidth(wide[296]))
	require.Equal(t, strings.Repeat(" ", 300), wide[297])
}

// screen is what a program wrote, readable while it still writes.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// viewer shows a placeholder in a frame, asks the terminal, and keeps the answers.
type viewer struct {
	box     string
	send    string
	answers []bool
}

func (v viewer) Init() tea.Cmd { return tea.Raw(v.send) }

func (v viewer) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if ok, known := picture.KittyAnswer(msg); known {
		v.answers = append(v.answers, ok)
	}
	if key, ok := msg.(tea.KeyPressMsg); ok && key.String() == "q" {
		return v, tea.Quit
	}
	return v, nil
}

func (v viewer) View() tea.View {
	view := tea.NewView(v.box)
	view.AltScreen = true
	return view
}

// run shows a viewer on a terminal that says answer; done is asked until it is so.
func run(t *testing.T, v viewer, answer string, done func(written string) bool) (viewer, string) {
	t.Helper()
	keyboard, typist := io.Pipe()
	var out screen
	program := tea.NewProgram(v, tea.WithInput(keyboard), tea.WithOutput(&out), tea.WithWindowSize(60, 20),
		tea.WithColorProfile(colorprofile.TrueColor), tea.WithoutSignals(), tea.WithEnvironment([]string{"TERM=xterm-256color"}))
	var final tea.Model
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		final, err = program.Run()
	}()
	require.Eventually(t, func() bool { return done(out.String()) }, 10*time.Second, 5*time.Millisecond)
	_, writeErr := typist.Write([]byte(answer + "q"))
	require.NoError(t, writeErr)
	<-ended
	require.NoError(t, err)
	require.NoError(t, typist.Close())
	return final.(viewer), out.String()
}

// Bubble Tea draws cells of its own; a placeholder must come through lipgloss and
// through that with its diacritics and its colour, and raw commands untouched.
func TestPlaceholderOnScreen(t *testing.T) {
	const cols, rows = 20, 5
	v := viewer{send: picture.Transmit(picture.FirstID, noise(rand.New(rand.NewPCG(3, 4)), 20, 20), cols, rows)}
	v.box = lipgloss.NewStyle().Border(lipgloss.RoundedBorder()).Render(
		lipgloss.JoinHorizontal(lipgloss.Top, "left ", strings.Join(picture.Placeholder(picture.FirstID, cols, rows), "\n"), " right"))
	for _, line := range strings.Split(v.box, "\n") {
		require.Equal(t, cols+13, ansi.StringWidth(line), "the frame is straight")
	}
	_, written := run(t, v, "", func(written string) bool {
		return strings.Contains(written, v.send) && strings.Count(written, string(kitty.Placeholder)) >= cols*rows
	})
	seen := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(written, -1) {
		seen[m[1]+m[2]] = true
	}
	for row := range rows {
		for col := range cols {
			require.True(t, seen[string(kitty.Diacritic(row))+string(kitty.Diacritic(col))], "row %d column %d", row, col)
		}
	}
	require.Len(t, seen, cols*rows, "and no others")
	require.Contains(t, written, "\x1b[38;2;0;39;17m", "id 10001 as a colour")
}

// The bytes that terminals answer with arrive in Update as messages that are known.
func TestKittyAnswer(t *testing.T) {
	require.Equal(t, "\x1b_Ga=q,i=10000,s=1,v=1,t=d,f=24;AAAA\x1b\\\x1b[c", picture.KittyQuery())
	const attributes = "\x1b[?62;c"
	for name, test := range map[string]struct {
		answer string
		want   []bool
	}{
		"kitty":             {"\x1b_Gi=10000;OK\x1b\\" + attributes, []bool{true, false}},
		"refused":           {"\x1b_Gi=10000;EINVAL:no such thing\x1b\\" + attributes, []bool{false, false}},
		"another picture's": {"\x1b_Gi=31;OK\x1b\\" + attributes, []bool{false}},
		"other terminals":   {attributes, []bool{false}},
	} {
		t.Run(name, func(t *testing.T) {
			v := viewer{send: picture.KittyQuery(), box: "asked"}
			final, _ := run(t, v, test.answer, func(written string) bool { return strings.Contains(written, picture.KittyQuery()) })
			require.Equal(t, test.want, final.answers)
		})
	}
	_, known := picture.KittyAnswer(tea.WindowSizeMsg{})
	require.False(t, known)
}
