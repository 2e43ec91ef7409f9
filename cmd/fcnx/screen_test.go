package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// screenTest is a program in a terminal of its own: a real one to the program, with
// a terminal emulator at the other end in place of a person.
type screenTest struct {
	t      *testing.T
	cmd    *exec.Cmd
	pty    *os.File
	screen *vt.SafeEmulator
	ended  chan struct{}

	mu     sync.Mutex
	stream strings.Builder // every byte that the program has written
}

// patience is how long something may take to appear on the screen of a busy machine.
const patience = 90 * time.Second

func inTerminal(t *testing.T, width, height int, env []string, args ...string) *screenTest {
	t.Helper()
	return programInTerminal(t, width, height, env, "fcnx", args...)
}

func programInTerminal(t *testing.T, width, height int, env []string, program string, args ...string) *screenTest {
	t.Helper()
	s := &screenTest{t: t, screen: vt.NewSafeEmulator(width, height), ended: make(chan struct{})}
	s.cmd = exec.Command(program, args...)
	s.cmd.Env = append(os.Environ(), append([]string{"TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "CI=", "NO_COLOR=", "TMUX="}, env...)...)
	var err error
	s.pty, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)})
	require.NoError(t, err)
	go func() { _, _ = io.Copy(s.pty, s.screen) }() // the emulator's answers to questions
	go func() {
		defer close(s.ended)
		buffer := make([]byte, 1<<16)
		for {
			n, err := s.pty.Read(buffer)
			s.mu.Lock()
			s.stream.Write(buffer[:n])
			s.mu.Unlock()
			_, _ = s.screen.Write(buffer[:n])
			if err != nil {
				return // the program has closed its end
			}
		}
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.pty.Close()
		_ = s.screen.Close()
	})
	return s
}

// wrote is every byte that the program has written so far.
func (s *screenTest) wrote() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream.String()
}

// shown is the text on the screen.
func (s *screenTest) shown() string { return ansi.Strip(s.screen.Render()) }

// see waits until all texts are on the screen at once.
func (s *screenTest) see(texts ...string) {
	s.t.Helper()
	s.wait("to see "+strings.Join(texts, ", "), func() bool {
		screen := s.shown()
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

func (s *screenTest) wait(what string, there func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !there(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %v %s; the screen is\n%s", patience, what, s.shown())
		}
	}
}

// keys types.
func (s *screenTest) keys(keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		_, err := s.pty.WriteString(key)
		require.NoError(s.t, err)
	}
}

// escape types that key, and waits for what it takes off the screen: a key that
// follows at once would be taken for one with alt.
func (s *screenTest) escape(from string) {
	s.t.Helper()
	s.keys("\x1b")
	s.wait("for "+from+" to go", func() bool { return !strings.Contains(s.shown(), from) })
}

func (s *screenTest) resize(width, height int) {
	s.t.Helper()
	s.screen.Resize(width, height)
	require.NoError(s.t, pty.Setsize(s.pty, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)}))
}

// exit waits for the program to end, and checks that the terminal is as it was.
func (s *screenTest) exit() (code int) {
	s.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case err := <-done:
		code = waitCode(err)
	case <-time.After(patience):
		s.t.Fatalf("the program did not end; the screen is\n%s", s.shown())
	}
	<-s.ended
	out := s.wrote()
	require.Equal(s.t, strings.Count(out, "\x1b[?1049h"), strings.Count(out, "\x1b[?1049l"), "the other screen was entered and left")
	require.GreaterOrEqual(s.t, strings.LastIndex(out, "\x1b[?25h"), strings.LastIndex(out, "\x1b[?25l"), "the cursor is back")
	return code
}
