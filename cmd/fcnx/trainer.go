package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui"
)

// A run with a dashboard is two processes. The one that the user started shows the
// dashboard and nothing else; it starts the other, which trains, in a session of its
// own, so that neither a closed terminal nor a bug of the screen reaches it.

// trainerVariable is how a trainer knows that it is one: the number of the file
// descriptor on which it tells where its run is.
const trainerVariable = "FCNX_TRAINER_FD"

// trainer is the other process, seen from the dashboard.
type trainer struct {
	cmd   *exec.Cmd
	early *os.File // what it writes before its run has a log

	found chan struct{} // closed when its run has a directory
	done  chan struct{} // closed when it has ended, after found
	code  int           // then its exit code
}

// startTrainer starts this program again with the same arguments. found is called
// once with the run's directory, unless the trainer ends before it has one.
func startTrainer(args []string, found func(dir string)) (*trainer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	early, err := os.CreateTemp("", "fcnx-train-*.txt")
	if err != nil {
		return nil, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, early.Close(), os.Remove(early.Name()))
	}
	cmd := exec.Command(self, args...) // #nosec G204 G702 -- this program itself, with the arguments that it was given
	cmd.Args[0] = os.Args[0]           // the name it was called by
	cmd.Stdout, cmd.Stderr = early, early
	cmd.ExtraFiles = []*os.File{writer}
	cmd.Env = append(os.Environ(), trainerVariable+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	writer.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the trainer: %w", err), reader.Close(), early.Close(), os.Remove(early.Name()))
	}
	t := &trainer{cmd: cmd, early: early, found: make(chan struct{}), done: make(chan struct{})}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		defer reader.Close()
		if dir, err := bufio.NewReader(reader).ReadString('\n'); err == nil {
			_ = os.Remove(early.Name()) // there is a log from here on
			found(strings.TrimSuffix(dir, "\n"))
			close(t.found)
		}
	}()
	go func() {
		err := cmd.Wait()
		// A process that it left behind may hold the pipe open.
		_ = reader.SetReadDeadline(time.Now().Add(time.Second))
		<-heard
		t.code = waitCode(err)
		close(t.done)
	}()
	return t, nil
}

// waitCode is the exit code of a process as a shell tells it: 128 and the signal's
// number where a signal ended it.
func waitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return exitDone
	case !errors.As(err, &exit):
		return exitFailure
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

// exit is how it ended, once it has.
func (t *trainer) exit() (code int, over bool) {
	select {
	case <-t.done:
		return t.code, true
	default:
		return 0, false
	}
}

// hasRun tells whether its run has a directory, which may come true until it ends.
func (t *trainer) hasRun() bool {
	select {
	case <-t.found:
		return true
	default:
		return false
	}
}

func (t *trainer) signal(s os.Signal) error { return t.cmd.Process.Signal(s) }

// said is the end of what it wrote before it had a log.
func (t *trainer) said() string {
	info, err := t.early.Stat()
	if err != nil {
		return ""
	}
	return lastLines(t.early, info.Size(), 4)
}

// trainBehindDashboard starts the run, shows it, and ends as it does, unless the
// user leaves before.
func trainBehindDashboard(cmd *cobra.Command, config string, t terminal) error {
	stderr := cmd.ErrOrStderr()
	if info, err := os.Stat(config); config != "" && (err != nil || !info.Mode().IsRegular()) {
		return usageError(fmt.Errorf("--config %s can be read only once, and a run with a dashboard is two processes: give a file, or say --ui plain", config))
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	watched := &watchedRun{by: askedBy("train")}
	var err error
	if watched.trainer, err = startTrainer(os.Args[1:], watched.found); err != nil {
		return writeErrorBelow(os.TempDir(), err)
	}
	defer watched.Close()

	// Signals to the dashboard are meant for the run, but for the one that says that
	// the terminal has gone.
	ctx, hide := context.WithCancelCause(cmd.Context())
	defer hide(nil)
	go watched.trainer.forward(ctx, signals, hide)

	options := t.options(false)
	options.Attached = true
	model := tui.New(options, watched)
	why, err := model.Show(ctx, t.forDashboard())

	var broken *tui.PanicError
	var signalled *signalError
	hungUp := errors.As(context.Cause(ctx), &signalled) && signalled.signal == syscall.SIGHUP
	switch {
	case errors.As(err, &broken):
		return brokenDashboard(broken, watched.Dir())
	case hungUp:
		return &quietExit{signalled.exit()}
	case err != nil:
		return fmt.Errorf("the dashboard ended, the run goes on in %s: %w", watched.Dir(), err)
	case why == tui.Detached:
		fmt.Fprintf(stderr, "the run goes on: fcnx watch %[1]s looks at it, fcnx stop %[1]s ends it\n", watched.Dir())
		return nil
	}
	select {
	case <-watched.trainer.done:
	case <-time.After(2 * time.Second):
		fmt.Fprintf(stderr, "waiting for process %d to end\n", watched.trainer.cmd.Process.Pid)
		<-watched.trainer.done
	}
	code, _ := watched.trainer.exit()
	return watched.farewell(cmd.OutOrStdout(), stderr, code)
}

// errTrainerEnded takes the screen away when there will be nothing more to see.
var errTrainerEnded = errors.New("the trainer has ended")

// forward hands SIGINT and SIGTERM on to the run, as often as they come, until ctx
// ends. hide ends the screen: at SIGHUP, when a run that was signalled has ended, at
// any signal after that, and when a run ends before it has a directory.
func (t *trainer) forward(ctx context.Context, signals <-chan os.Signal, hide context.CancelCauseFunc) {
	asked := false
	for done := t.done; ; {
		select {
		case s := <-signals:
			asked = true
			switch {
			case s == syscall.SIGHUP:
				hide(&signalError{syscall.SIGHUP})
				return
			case done == nil:
				hide(errTrainerEnded)
				return
			}
			_ = t.signal(s) // it may have ended by itself just now
		case <-done:
			done = nil
			if asked || !t.hasRun() {
				hide(errTrainerEnded)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// farewell is what is left on the terminal when the screen has gone: what came of
// the run, or why there is none.
func (w *watchedRun) farewell(stdout, stderr io.Writer, code int) error {
	dir := w.Dir()
	if dir == "" {
		// It never came to have a run: it has said why on its standard error.
		_ = os.Remove(w.trainer.early.Name())
		if info, err := w.trainer.early.Stat(); err == nil && info.Size() > 0 {
			_, _ = io.Copy(stderr, io.NewSectionReader(w.trainer.early, 0, info.Size()))
		} else if code != exitDone {
			fmt.Fprintf(stderr, "fcnx: the process that was to train ended with exit code %d before it said anything\n", code)
		}
		return exitWith(code)
	}
	summary := summaryOf(dir)
	if summary.MeanIoU != nil {
		printClasses(stdout, summary)
	}
	if summary.BestStep != nil {
		fmt.Fprintf(stdout, "best mean IoU %.3f at step %d\n", *summary.BestMeanIoU, *summary.BestStep)
	}
	fmt.Fprintf(stdout, "run         %s\n", dir)
	if summary.DataWait != nil && summary.Error == "" {
		printDataWait(stdout, *summary.DataWait)
	}
	switch {
	case summary.Error != "":
		fmt.Fprintf(stderr, "fcnx: %s\n", summary.Error)
	case code == exitUnwritable:
		fmt.Fprintf(stderr, "fcnx: the run could not be written, its last words neither: make room in %[1]s, or mend its disk, and fcnx train --resume=%[1]s goes on\n", dir)
	case code != exitDone:
		fmt.Fprintf(stderr, "fcnx: the trainer ended with exit code %d after step %d, without a word; %s/log.txt may know more, and fcnx train --resume=%s goes on\n",
			code, summary.Step, dir, dir)
	}
	return exitWith(code)
}

// printClasses is the last evaluation class by class, in percent.
func printClasses(w io.Writer, s tui.Summary) {
	names := len("pixel accuracy")
	for _, name := range s.Classes {
		names = max(names, utf8.RuneCountInString(wording.Printable(name)))
	}
	row := func(name string, v *float64) {
		text := "-"
		if v != nil {
			text = fmt.Sprintf("%.1f", 100**v)
		}
		fmt.Fprintf(w, "%-*s  %5s\n", names, wording.Printable(name), text)
	}
	fmt.Fprintf(w, "%-*s  IoU %%\n", names, "class")
	for _, name := range s.Classes {
		row(name, s.ClassIoU[name])
	}
	fmt.Fprintln(w)
	row("mean IoU", s.MeanIoU)
	row("pixel accuracy", s.PixelAccuracy)
	fmt.Fprintln(w)
}

func exitWith(code int) error {
	if code == exitDone {
		return nil
	}
	return &quietExit{code}
}

// becomeTrainer makes a process that was started by a dashboard one that needs no
// terminal: everything it writes from here on goes to the run's log, C++ included,
// and the dashboard hears where the run is. Any other process stays as it is.
func becomeTrainer(run *checkpoints.Run) error {
	fd, err := strconv.Atoi(os.Getenv(trainerVariable))
	if err != nil {
		return nil
	}
	log, err := checkpoints.OpenOwn(run.LogPath(), os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	defer log.Close()
	for _, std := range []int{1, 2} {
		if err := syscall.Dup3(int(log.Fd()), std, 0); err != nil {
			return fmt.Errorf("writing to %s: %w", log.Name(), err)
		}
	}
	report := os.NewFile(uintptr(fd), "report")
	if report == nil {
		return fmt.Errorf("%s is no open file descriptor", trainerVariable)
	}
	// The dashboard may have been closed in the meantime.
	_, _ = fmt.Fprintln(report, run.Dir)
	return report.Close()
}

// isTrainer tells whether a dashboard started this process.
func isTrainer() bool { return os.Getenv(trainerVariable) != "" }
