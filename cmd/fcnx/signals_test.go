package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fcnx/fcnx/checkpoints"
)

// A message that nobody reads must not keep the first signal from ending the work.
func TestFirstSignalBehindAFullPipe(t *testing.T) {
	reader, full := fullPipe(t)
	ctx, stop := untilSignal(t.Context(), full, "stopping")
	defer stop()
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	<-ctx.Done()
	var cause *signalError
	require.ErrorAs(t, context.Cause(ctx), &cause)
	require.Equal(t, exitTerminated, cause.exit())
	require.NoError(t, reader.Close(), "which also ends the write")
}

// Nor may it keep the second one from being heard: that leaves at once, whatever the
// program does, with the code of the second.
func TestSecondSignalLeaves(t *testing.T) {
	_, full := fullPipe(t)
	for name, stderr := range map[string]io.Writer{"stderr is read": new(bytes.Buffer), "stderr is full": full} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("waits")
			cmd.Stderr = stderr
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewScanner(stdout)
			for _, step := range []struct {
				line   string
				signal syscall.Signal
			}{{"ready", syscall.SIGTERM}, {"asked to terminate", syscall.SIGINT}} {
				require.True(t, lines.Scan())
				require.Equal(t, step.line, lines.Text())
				require.NoError(t, cmd.Process.Signal(step.signal))
			}
			require.False(t, lines.Scan())
			var exit *exec.ExitError
			require.ErrorAs(t, cmd.Wait(), &exit)
			require.Equal(t, exitInterrupted, exit.ExitCode())
		})
	}
}

// waits is the program of that test: it has work that no context ends.
func waits() {
	ctx, _ := untilSignal(context.Background(), os.Stderr, "stopping")
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	select {}
}

// A run goes on when whoever read its output has gone, and does not miss them at its
// end either.
func TestRunOutlivesItsReaders(t *testing.T) {
	for _, ui := range []string{"plain", "json", "none"} {
		reader, broken, err := os.Pipe()
		require.NoError(t, err)
		defer broken.Close()
		require.NoError(t, reader.Close())
		dir := t.TempDir()
		cmd := exec.Command("fcnx", "train", "--data", "shapes?n=2&val_n=1&size=32x32", "--model", "fcn32s", "--encoder", "vgg11",
			"--set", "model.width=1", "--set", "model.head=2", "--steps", "1", "--batch", "2", "--backend", "go",
			"--out", dir, "--name", "a", "--ui", ui)
		cmd.Stdout, cmd.Stderr = broken, broken
		require.NoError(t, cmd.Run(), "--ui %s", ui)
		events, err := os.ReadFile(filepath.Join(dir, "a", "events.jsonl"))
		require.NoError(t, err)
		require.Regexp(t, `"kind":"finished",.*"reason":"done".*\n$`, string(events))
	}
}

// Nor does it wait for a terminal that is frozen, whatever it has to warn of: of an
// address that others reach, and of a sink that is lost.
func TestRunOutlivesAFrozenTerminal(t *testing.T) {
	_, full := fullPipe(t)
	dir := t.TempDir()
	lost, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer lost.Close()
	cmd := exec.Command("fcnx", "train", "--data", "shapes?n=2&val_n=1&size=32x32", "--model", "fcn32s", "--encoder", "vgg11",
		"--set", "model.width=1", "--set", "model.head=2", "--steps", "1", "--batch", "2", "--backend", "go",
		"--out", dir, "--name", "a", "--ui", "json", "--metrics-addr", "0.0.0.0:0")
	cmd.Stdout, cmd.Stderr = lost, full
	require.NoError(t, cmd.Run())
	events, err := os.ReadFile(filepath.Join(dir, "a", "events.jsonl"))
	require.NoError(t, err)
	require.Regexp(t, `"kind":"finished",.*"reason":"done".*\n$`, string(events))
	require.Contains(t, string(events), "can be read from other machines")
}

func TestEndingOf(t *testing.T) {
	cause := &signalError{syscall.SIGINT}
	ctx, cancel := context.WithCancelCause(t.Context())
	_, ok := endingOf(ctx, context.Canceled)
	require.False(t, ok, "nothing was signalled yet")

	cancel(cause)
	for _, err := range []error{cause, ctx.Err(), fmt.Errorf("reading a.png: %w", ctx.Err())} {
		s, ok := endingOf(ctx, err)
		require.True(t, ok, err)
		require.Equal(t, cause, s)
		require.Equal(t, exitInterrupted, exitCode(interrupted(ctx, err, "nothing was trained yet")))
	}
	// What fails for its own reasons after the signal keeps them.
	disk := errors.New("the disk is full")
	_, ok = endingOf(ctx, disk)
	require.False(t, ok)
	require.Equal(t, disk, interrupted(ctx, disk, "nothing was trained yet"))
	require.NoError(t, interrupted(ctx, nil, "nothing was trained yet"))
	require.EqualError(t, interrupted(ctx, ctx.Err(), "nothing was trained yet"), "interrupted: nothing was trained yet")
}

// fullPipe returns a pipe to which every write waits until somebody reads.
func fullPipe(t *testing.T) (reader, writer *os.File) {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { reader.Close(); writer.Close() })
	raw, err := writer.SyscallConn()
	require.NoError(t, err)
	var full error
	require.NoError(t, raw.Write(func(fd uintptr) bool {
		for full == nil {
			_, full = unix.Write(int(fd), []byte{'.'})
		}
		return true
	}))
	require.ErrorIs(t, full, unix.EAGAIN)
	return reader, writer
}

// started is a program that a script has under way.
type started struct {
	cmd     *exec.Cmd
	drained chan struct{} // closed when its stdout has ended
}

// starts is the command of the scripts that starts a program and goes on once it has
// written a line to stdout that matches. All its output goes to the files stdout.txt
// and stderr.txt, and its process id to $PID:
//
//	starts REGEXP PROGRAM ARGUMENT...
func starts(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: starts REGEXP PROGRAM ARGUMENT...")
	}
	until, err := regexp.Compile(args[0])
	ts.Check(err)
	output, err := os.Create(ts.MkAbs("stdout.txt"))
	ts.Check(err)
	messages, err := os.Create(ts.MkAbs("stderr.txt"))
	ts.Check(err)
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir, cmd.Stderr = ts.MkAbs("."), messages
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "FCNX_PLUGINS_DIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Check(messages.Close())
	// A script that fails half way leaves no process behind.
	ts.Defer(func() { _ = cmd.Process.Kill() })

	lines := bufio.NewReader(io.TeeReader(stdout, output))
	for {
		line, err := lines.ReadString('\n')
		if until.MatchString(line) {
			break
		}
		if err != nil {
			said, _ := os.ReadFile(ts.MkAbs("stderr.txt"))
			ts.Fatalf("%s ended before a line of stdout matched %s\n%s", args[1], until, said)
		}
	}
	s := ts.Value(started{}).(*started)
	s.cmd, s.drained = cmd, make(chan struct{})
	go func() {
		defer close(s.drained)
		_, _ = io.Copy(io.Discard, lines)
		_ = output.Close()
	}()
	ts.Setenv("PID", fmt.Sprint(cmd.Process.Pid))
}

// stops is the command of the scripts that signals the program under way, and holds
// it to the exit code that a shell would see. Without a signal it waits for the end:
//
//	stops CODE [SIGNAL...]
func stops(ts *testscript.TestScript, negated bool, args []string) {
	s := ts.Value(started{}).(*started)
	if negated || len(args) < 1 || s.cmd == nil {
		ts.Fatalf("usage: stops CODE [SIGNAL...], after starts")
	}
	for _, name := range args[1:] {
		signal := unix.SignalNum("SIG" + name)
		if signal == 0 {
			ts.Fatalf("no signal is called %s", name)
		}
		ts.Check(s.cmd.Process.Signal(signal))
	}
	<-s.drained
	_ = s.cmd.Wait()
	status := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	s.cmd = nil
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	if fmt.Sprint(code) != args[0] {
		said, _ := os.ReadFile(ts.MkAbs("stderr.txt"))
		ts.Fatalf("exit code %d, not %s\n%s", code, args[0], said)
	}
}

// laststep is the command of the scripts that reads how far a run came, which for one
// that was stopped no script can know. It sets $STEP to the newest step that was
// saved, $END to a few more, and $ENDING to the name of that one's checkpoint:
//
//	laststep RUN
func laststep(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: laststep RUN")
	}
	run, err := checkpoints.OpenRun(ts.MkAbs(args[0]))
	ts.Check(err)
	newest, err := run.Newest(func(text string) { ts.Fatalf("%s", text) })
	ts.Check(err)
	ts.Check(newest.Close())
	step := newest.Meta.Step
	ts.Setenv("STEP", fmt.Sprint(step))
	ts.Setenv("END", fmt.Sprint(step+3))
	ts.Setenv("ENDING", fmt.Sprintf("step-%012d", step+3))
}

// copyAt is the command of the scripts that makes the directory of a run as it was when
// the checkpoint of a step had just been saved, and the process was killed:
//
//	cpat STEP RUN COPY
func copyAt(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 3 {
		ts.Fatalf("usage: cpat STEP RUN COPY")
	}
	step, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	from, to := ts.MkAbs(args[1]), ts.MkAbs(args[2])
	ts.Check(os.CopyFS(to, os.DirFS(from)))
	run, err := checkpoints.OpenRun(to)
	ts.Check(err)
	steps, err := run.Steps()
	ts.Check(err)
	if !slices.Contains(steps, step) {
		ts.Fatalf("%s has no checkpoint of step %d, it has %v", from, step, steps)
	}
	for _, later := range steps {
		if later > step {
			ts.Check(os.RemoveAll(filepath.Join(to, fmt.Sprintf("step-%012d", later))))
		}
	}
	// Its records end where that was told.
	events, err := os.ReadFile(run.EventsPath())
	ts.Check(err)
	told := regexp.MustCompile(fmt.Sprintf(`(?m)^\{"kind":"saved",.*"step":%d,.*\n`, step)).FindIndex(events)
	if told == nil {
		ts.Fatalf("%s does not tell of the checkpoint of step %d", from, step)
	}
	ts.Check(os.WriteFile(run.EventsPath(), events[:told[1]], 0o666))
}
