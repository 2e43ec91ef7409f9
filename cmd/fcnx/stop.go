package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train/control"
	"github.com/fcnx/fcnx/train/event"
)

// stopOptions are the flags of `fcnx stop`.
type stopOptions struct {
	timeout time.Duration
	noWait  bool
}

func newStopCommand() *cobra.Command {
	var options stopOptions
	cmd := &cobra.Command{
		Use:   "stop RUN",
		Short: "Stop a run that another process trains: it finishes the step, saves and leaves",
		Long: `Stop a run that another process trains, on this host or on another one that shares the directory.

The run is asked through a file in its directory. It finishes the step at hand, saves and leaves with exit code 143, as
after SIGTERM; 'fcnx train --resume=RUN' goes on from there. This command waits until the run has ended. To stop one
that is not running is no error.`,
		Example: `  fcnx stop runs/mine
  fcnx stop runs/mine --timeout 30s || kill -9 PID`,
		Args: oneArgument("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error { return runStop(cmd, args[0], options) },
	}
	cmd.Flags().DurationVar(&options.timeout, "timeout", 5*time.Minute, "it is a failure to wait longer than this `time`, as in 30s or 5m")
	cmd.Flags().BoolVar(&options.noWait, "no-wait", false, "ask, and do not wait for the end")
	return cmd
}

func runStop(cmd *cobra.Command, dir string, options stopOptions) error {
	stdout, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
	if options.timeout <= 0 {
		return usageError(fmt.Errorf("--timeout %v: more than nothing; --no-wait does not wait", options.timeout))
	}
	ctx, release := untilSignal(cmd.Context(), stderr, "")
	defer release()

	// Whom to ask.
	run, err := checkpoints.OpenRun(dir)
	if err != nil {
		return dataError(err)
	}
	trainer, held, err := run.Holder()
	if !held {
		if err == nil {
			fmt.Fprintf(stdout, "%s is not running: nothing to stop\n", dir)
		}
		return err
	}
	if trainer.Host == "" {
		trainer.Host = "its host" // the lock file does not say whose it is
	}

	// Ask, and wait until the lock is free or another process has it.
	said := sizeOf(run.EventsPath())
	err = control.Ask(dir, control.Request{Time: askedAt(time.Now(), trainer), Action: event.ActionStop, By: askedBy("stop")})
	if err != nil {
		return writeError(err)
	}
	if options.noWait {
		fmt.Fprintf(stdout, "%s on %s is asked to stop\n", processName(trainer), trainer.Host)
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	switch err := untilFree(waiting, run, trainer); {
	case err != nil && ctx.Err() != nil:
		return interrupted(ctx, ctx.Err(), fmt.Sprintf("%s stays asked to stop, and stops as soon as it hears it", dir))
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s still runs after %v, as %s; it stays asked to stop\non %s, `kill %s` asks again and `kill -9 %s` ends it at once: its checkpoints stay whole",
			dir, options.timeout, processName(trainer), trainer.Host, pid(trainer), pid(trainer))
	case err != nil:
		return err
	}

	// What came of it.
	end, err := lastWords(run.EventsPath(), trainer.Since, said)
	if err != nil {
		return err
	}
	printStopped(stdout, run, end)
	return nil
}

// askedAt is the time of a request to the process that trainer tells of. It is never
// before that process began: a listener may take a request from before for one to
// another process, and the clock may have been set back since.
func askedAt(now time.Time, trainer checkpoints.Holder) time.Time {
	if now.After(trainer.Since) {
		return now
	}
	return trainer.Since.Add(time.Millisecond)
}

// sizeOf is how long a file is; 0 where there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// freeEvery is how often the lock is looked at.
const freeEvery = 200 * time.Millisecond

// untilFree returns when the process that trainer tells of has let go of the run.
func untilFree(ctx context.Context, run *checkpoints.Run, trainer checkpoints.Holder) error {
	tick := time.NewTicker(freeEvery)
	defer tick.Stop()
	for {
		now, held, err := run.Holder()
		switch {
		case !held:
			return err
		case err == nil && trainer.PID != 0 && !(now.PID == trainer.PID && now.Host == trainer.Host && now.Since.Equal(trainer.Since)):
			return nil // somebody was quick to go on with it
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// processName is "process 4711".
func processName(h checkpoints.Holder) string {
	return "process " + pid(h)
}

func pid(h checkpoints.Holder) string {
	if h.PID == 0 {
		return "PID"
	}
	return fmt.Sprint(h.PID)
}

// ended is what the records tell of the end of a process.
type ended struct {
	step     int64           // the last one they tell of
	finished *event.Finished // nil: the process said nothing, as one that was killed
}

// tailBytes is how much of the end of events.jsonl is read: the last record may be
// followed by those of a process that went on with the run.
const tailBytes = 4 * event.MaxLine

// lastWords finds what a process that began after since said at its end. What follows
// the first said bytes was said since it was asked, whatever its clock has become.
func lastWords(path string, since time.Time, said int64) (ended, error) {
	f, _, err := checkpoints.OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ended{}, nil
	}
	if err != nil {
		return ended{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ended{}, err
	}
	var end ended
	// The first line may be half a record, which is an error like any other bad line.
	from := max(0, info.Size()-tailBytes)
	records := event.NewReader(io.NewSectionReader(f, from, tailBytes))
	for {
		record, err := records.Next()
		var bad *event.LineError
		switch {
		case errors.As(err, &bad):
			continue
		case errors.Is(err, io.EOF):
			return end, nil
		case err != nil:
			return ended{}, err
		}
		if from+records.Offset() <= said && record.At().Before(since) {
			continue
		}
		switch r := record.(type) {
		case event.Step:
			if end.finished == nil {
				end.step = r.Step
			}
		case event.Finished:
			if end.finished == nil {
				end.step, end.finished = r.Step, &r
			}
		}
	}
}

// printStopped says how the run ended, and where it goes on.
func printStopped(w io.Writer, run *checkpoints.Run, end ended) {
	var how string
	switch {
	case end.finished == nil:
		how = fmt.Sprintf("ended after step %d without a last word, as if it was killed", end.step)
	case end.finished.Reason == event.ReasonDone:
		how = fmt.Sprintf("is complete: all %d steps are done", end.step)
	case end.finished.Reason == event.ReasonInterrupted && end.step == 0:
		how = "stopped before the first step"
	case end.finished.Reason == event.ReasonInterrupted:
		how = fmt.Sprintf("stopped after step %d", end.step)
	default:
		how = fmt.Sprintf("ended by itself after step %d: %s", end.step, end.finished.Error)
	}
	fmt.Fprintf(w, "%s %s\n", run.Dir, how)
	steps, err := run.Steps() // LAST may be one behind, or damaged
	if err != nil || len(steps) == 0 {
		fmt.Fprintln(w, "nothing was saved")
		return
	}
	fmt.Fprintf(w, "saved       %s\n", run.StepDir(steps[len(steps)-1]))
	if end.finished == nil || end.finished.Reason != event.ReasonDone {
		fmt.Fprintf(w, "go on       fcnx train --resume=%s\n", run.Dir)
	}
}
