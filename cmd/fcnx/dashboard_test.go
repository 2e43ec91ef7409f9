package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
)

// endless are the arguments of a run that is as small as can be, and does not end.
func endless(dir string) []string {
	return []string{"train", "--data", "shapes?n=7&val_n=3&size=32x32", "--model", "fcn32s", "--encoder", "vgg11", "--backend", "go",
		"--set", "model.width=1", "--set", "model.head=2", "--steps", "1000000", "--batch", "2", "--set", "train.schedule=constant",
		"--set", "eval.every_steps=200000", "--out", dir, "--name", "a"}
}

func events(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "a", "events.jsonl"))
	require.NoError(t, err)
	return string(text)
}

// ends makes sure that no trainer outlives its test.
func ends(t *testing.T, dir string) {
	t.Cleanup(func() {
		run := checkpoints.Run{Dir: filepath.Join(dir, "a")}
		if h, held, err := run.Holder(); held && err == nil {
			_ = syscall.Kill(h.PID, syscall.SIGKILL)
		}
	})
}

// trainerOf is the process that trains, which is not the one that was started.
func trainerOf(t *testing.T, dir string, dashboard int) int {
	t.Helper()
	h, held, err := (&checkpoints.Run{Dir: filepath.Join(dir, "a")}).Holder()
	require.NoError(t, err)
	require.True(t, held)
	require.NotEqual(t, dashboard, h.PID)
	return h.PID
}

// A run from its first screen to its last: every size, every key, detach, attach,
// stop.
func TestDashboard(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ends(t, dir)
	s := inTerminal(t, 120, 40, nil, endless(dir)...)
	s.see("training", "IoU by class", "Loss", "Log")
	pid := trainerOf(t, dir, s.cmd.Process.Pid)

	for _, size := range [][2]int{{80, 24}, {60, 16}, {200, 60}, {300, 100}, {20, 5}} {
		s.resize(size[0], size[1])
		s.see(map[bool]string{true: "fcnx", false: "Loss"}[size[0] < 60])
	}
	s.resize(12, 3)
	s.see("too small")
	s.resize(120, 40)
	s.see("IoU by class")

	const left, right, up, down = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"
	s.keys("?")
	s.see("halve the learning rate")
	s.keys("x", "y")
	s.see("log  full")
	s.keys("s", "w", "w", "+", "+", left, right, up, down, "-", "[", "]")
	s.see("─ step ")
	s.escape("─ step ")
	s.keys("\t", "\x1b[Z", "o", "z", "z")
	for key := range 9 {
		s.keys(strconv.Itoa(key+1), left, right, up, down)
	}
	s.keys("z", "1", "a")
	s.see("+ Loss")
	s.keys("a", " ")
	s.see("frozen")
	s.keys(" ", "/", "d", "i", "s", "c", "\r")
	s.see("/disc")
	s.escape("/disc")

	s.keys("c")
	s.see("asked for a checkpoint")
	s.wait("for the checkpoint", func() bool { return strings.Contains(events(t, dir), `"action":"save"`) })
	s.keys("e")
	s.wait("for the evaluation", func() bool { return strings.Contains(events(t, dir), `"kind":"eval"`) })
	s.see("mIoU 0.")
	s.keys("L")
	s.see("Halve the learning rate?")
	s.keys("y")
	s.wait("for half the rate", func() bool { return strings.Contains(events(t, dir), `"action":"halve_lr","by":"train, process`) })
	s.wait("for a step at half the rate", func() bool { return strings.Contains(events(t, dir), `"lr":0.005`) })

	// Leaving the screen leaves the run alone.
	s.keys("q")
	s.see("Leave this run?")
	s.keys("d")
	require.Equal(t, 0, s.exit())
	require.Contains(t, s.wrote(), "the run goes on: fcnx watch "+dir)
	require.Equal(t, pid, trainerOf(t, dir, s.cmd.Process.Pid))

	// Another terminal takes it up, and ends it.
	s = inTerminal(t, 80, 24, nil, "watch", filepath.Join(dir, "a"))
	s.see("training", "a", "Loss")
	s.keys("\x03")
	s.see("Leave this run?")
	s.keys("s")
	require.Equal(t, 0, s.exit())
	require.Regexp(t, `"action":"stop","by":"watch, process \d+ on `, events(t, dir))
	require.Regexp(t, `"kind":"finished",.*"reason":"interrupted",.*"exit_code":143,.*\n$`, events(t, dir))

	// It is looked at in the same way when it is over, in all its parts.
	s = inTerminal(t, 120, 40, nil, "watch", filepath.Join(dir, "a"))
	s.see("stopped", "goes on")
	s.keys("c")
	s.see("no process trains this run now")
	s.keys("q")
	require.Equal(t, 0, s.exit())
	s = inTerminal(t, 120, 40, nil, "watch", filepath.Join(dir, "a"), "--speed", "100x", "--at", "50%")
	s.see("replay 100x")
	s.keys(">")
	s.see("replay 200x")
	s.keys("q")
	require.Equal(t, 0, s.exit())
}

// What happens to one side of the screen does not happen to the other.
func TestDashboardAndTrainerLiveAndDieAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ends(t, dir)
	s := inTerminal(t, 100, 30, nil, endless(dir)...)
	s.see("training")
	pid := trainerOf(t, dir, s.cmd.Process.Pid)

	// The terminal goes away: the run goes on.
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	require.Equal(t, 129, s.exit())
	require.Equal(t, pid, trainerOf(t, dir, s.cmd.Process.Pid))

	// The trainer is killed under the eyes of a watcher, who sees it.
	s = inTerminal(t, 120, 40, nil, "watch", filepath.Join(dir, "a"))
	s.see("training")
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	s.see("lost", "gone without a word")
	s.keys("q")
	require.Equal(t, 0, s.exit())

	// Resumed, it is killed again under the dashboard that started it.
	s = inTerminal(t, 120, 40, nil, "train", "--resume="+filepath.Join(dir, "a"))
	s.see("training")
	require.NoError(t, syscall.Kill(trainerOf(t, dir, s.cmd.Process.Pid), syscall.SIGKILL))
	s.see("lost")
	s.keys("q")
	require.Equal(t, 137, s.exit())
	require.Regexp(t, `the trainer ended with exit code 137 .*--resume=`, s.wrote())

	// A signal to the dashboard is one to the run.
	s = inTerminal(t, 120, 40, nil, "train", "--resume="+filepath.Join(dir, "a"))
	s.see("training")
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.Equal(t, 143, s.exit())
	require.Contains(t, s.wrote(), "it is saved, and --resume goes on from there")

	// What the trainer and its libraries write to standard error is in the run's log,
	// and never on the screen.
	log, err := os.ReadFile(filepath.Join(dir, "a", "log.txt"))
	require.NoError(t, err)
	require.Contains(t, string(log), "asked to terminate: stopping in good order")
}

// A run that ends while one watches stays on the screen until a key is pressed.
func TestDashboardOfARunThatEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ends(t, dir)
	// There is nothing to resume: a warning from before there is a log, which is no
	// reason to take the screen away.
	args := append(endless(dir), "--set", "train.steps=30", "--resume")
	s := inTerminal(t, 120, 40, nil, args...)
	s.see("done: 30 steps", "any key")
	s.keys("x")
	s.see("30/30")
	s.keys("q")
	require.Equal(t, 0, s.exit())
	require.Regexp(t, `best mean IoU 0\.\d+ at step 30\r?\n`, s.wrote())
}

// Where a run cannot begin, the reason is on the terminal, not on a screen that has
// gone.
func TestDashboardOfARunThatCannotBegin(t *testing.T) {
	t.Parallel()
	s := inTerminal(t, 100, 30, nil, "train", "--data", "folder:nowhere", "--steps", "1", "--backend", "go", "--out", t.TempDir())
	require.Equal(t, exitBadData, s.exit())
	require.Contains(t, s.wrote(), "nowhere")
	s = inTerminal(t, 100, 30, nil, "train", "--data", "shapes", "--stepz", "1")
	require.Equal(t, exitUsage, s.exit())
	require.NotContains(t, s.wrote(), "\x1b[?1049h")
}

// Who has no use for escape codes gets none, not one.
func TestNoEscapeCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := append(endless(dir), "--set", "train.steps=3")
	for i, env := range [][]string{{"TERM=dumb"}, {"CI=true"}, {"TERM="}} {
		s := inTerminal(t, 120, 40, env, append(args, "--name", "a"+strconv.Itoa(i))...)
		require.Equal(t, 0, waitCode(s.cmd.Wait()))
		<-s.ended
		require.NotContains(t, s.wrote(), "\x1b", "%v", env)
		require.Regexp(t, `step 1/3  epoch 0\.\d  loss \d`, s.wrote(), "%v", env)
	}
	s := inTerminal(t, 50, 12, nil, append(args, "--name", "small")...)
	require.Equal(t, 0, waitCode(s.cmd.Wait()))
	<-s.ended
	require.NotContains(t, s.wrote(), "\x1b", "a window too small for a dashboard that nobody asked for")
}

// A run that a shell has put in the background of its terminal writes lines: it would
// be stopped for reading keys.
func TestNoDashboardInTheBackground(t *testing.T) {
	t.Parallel()
	args := append(endless(t.TempDir()), "--set", "train.steps=3")
	s := programInTerminal(t, 120, 40, nil, "bash", append([]string{"-m", "-c", `fcnx "$@" & wait`, "bash"}, args...)...)
	require.Equal(t, 0, waitCode(s.cmd.Wait()))
	<-s.ended
	require.NotContains(t, s.wrote(), "\x1b[?1049h")
	require.Regexp(t, `step 1/3  epoch 0\.\d  loss \d`, s.wrote())
}

// NO_COLOR with any value, and a locale without UTF-8.
func TestColorsAndLetters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ends(t, dir)
	s := inTerminal(t, 120, 40, []string{"NO_COLOR=yes", "LC_ALL=C"}, endless(dir)...)
	s.see("training", "+ Loss")
	s.keys("2", "3", "5", "q")
	s.see("Leave this run?")
	time.Sleep(300 * time.Millisecond)
	require.NotRegexp(t, regexp.MustCompile(`\x1b\[[0-9;:]*[34][0-8][0-9;:]*m`), s.wrote(), "a colour")
	for _, r := range s.wrote() {
		require.Less(t, r, rune(127))
	}
	s.keys("s")
	require.Equal(t, exitTerminated, s.exit())
}

// A terminal that says that it knows Kitty's protocol gets pictures by it, and any
// other one not a byte of it but the question.
func TestKittyPictures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ends(t, dir)
	s := inTerminal(t, 120, 40, []string{"COLORTERM=truecolor"}, endless(dir)...)
	s.see("training")
	s.keys("e")
	s.wait("for pictures", func() bool { return strings.Contains(events(t, dir), `"kind":"preview"`) })
	s.keys("5")
	s.see("prediction", "▀▀▀▀▀▀")
	const query, picture = "\x1b_Ga=q,i=10000", "\x1b_Ga=T,U=1,f=100"
	require.Contains(t, s.wrote(), query)
	require.NotContains(t, s.wrote(), picture)

	s.keys("\x1b_Gi=10000;OK\x1b\\")
	s.wait("for the four pictures", func() bool { return strings.Count(s.wrote(), picture) >= 4 })
	s.wait("for them to take their places", func() bool {
		return strings.Contains(s.shown(), "\U0010eeee") && !strings.Contains(s.shown(), "▀▀▀▀▀▀")
	})
	s.keys("q")
	s.see("Leave this run?")
	s.keys("s")
	require.Equal(t, exitTerminated, s.exit())
}
