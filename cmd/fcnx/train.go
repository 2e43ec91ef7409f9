package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event"
)

func newTrainCommand() *cobra.Command {
	var options trainOptions
	cmd := &cobra.Command{
		Use:   "train [--config F.toml] [--set key=value]... [--data SPEC]",
		Short: "Train a network; --resume goes on with a run that was stopped",
		Long: `Train a network on images and masks.

What is not said by a flag is read from the environment (FCNX_TRAIN_BATCH=4), then from the file of --config, then
has its default; every key can be set by --set (docs/configuration.md). The run lives in a directory of its own below
--out: configuration, events, checkpoints, overlays. The first Ctrl-C finishes the step, saves and leaves; the second
leaves at once.`,
		Example: `  fcnx train --data shapes --epochs 5
  fcnx train --data camvid:CamVid --config recipes/camvid-narrow.toml
  fcnx train --data 'folder:mine?val=0.1' --model fcn16s --encoder vgg11_bn --epochs 40 --lr 0.02
  fcnx train --resume=runs/mine`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && options.resume == latest {
				return usageError(fmt.Errorf("write --resume=%s, in one word", args[0]))
			}
			return noArguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return runTrain(cmd, options) },
	}
	options.register(cmd)
	return cmd
}

// runTrain is a run, in the order in which it happens.
func runTrain(cmd *cobra.Command, options trainOptions) error {
	stdout, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
	begin := time.Now()
	said := newUnhurried(stderr)
	defer said.close()
	notes := &warnings{tell: warnTo(said)}
	warn := notes.warn

	// What is asked for, and whether it goes on with something.
	plan, err := options.plan(cmd, warn)
	if err != nil {
		return usageError(err)
	}
	defer plan.close()

	// Who watches. A dashboard is a process of its own, and trains in another one.
	here := terminalOf(cmd.InOrStdin(), stdout, os.Environ())
	ui, err := plan.ui(here)
	if err != nil {
		return usageError(err)
	}
	if ui == "tui" {
		plan.close()
		said.close() // before the screen is the dashboard's
		return trainBehindDashboard(cmd, options.config, here)
	}

	// A run outlives its terminal and the reader of its output.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	ctx, stop := untilSignal(cmd.Context(), said, "stopping in good order; once more to leave at once")
	defer stop()

	// Who may ask how it goes: an address that is taken must not cost a run.
	served, err := openMetrics(plan.config.Run, warn)
	if err != nil {
		return usageError(err)
	}
	defer func() { _ = served.Close() }() // where the run ends before it has sinks; they close it too

	// What it starts from, which may bring its [preprocess].
	if plan.resumed == nil {
		if err := plan.openInitial(ctx, warn); err != nil {
			return interrupted(ctx, err, "nothing was trained yet")
		}
	}

	// What is learned from.
	data, err := openTrainData(ctx, &plan.config, warn)
	if err != nil {
		return interrupted(ctx, specError(err), "nothing was trained yet")
	}

	// How much of it at a time, where that is to be found out.
	var backend *device.Backend
	idle := true
	defer func() {
		if idle && backend != nil { // else it has no end but that of the process
			backend.Close()
		}
	}()
	if plan.find != nil {
		if backend, err = plan.openForBatch(ctx, data, warn, func(text string) { fmt.Fprintln(said, text) }); err != nil {
			return interrupted(ctx, err, "nothing was trained yet")
		}
	}

	// What is trained, and how: one network, or several one after the other.
	fresh := plan.resumed == nil && plan.config.Model.Init == ""
	stages, err := stagesOf(plan.config, data, fresh, plan.onceSaid(warn))
	if err != nil {
		return usageError(err)
	}

	// What computes.
	if backend == nil {
		if backend, err = openBackend(ctx, plan.config.Device, warn); err != nil {
			return interrupted(ctx, backendError(err), "nothing was trained yet")
		}
	}
	warnOfPrecision(backend, warn, plan.config.Train.Precision)

	// What starts: the weights of a checkpoint, of another network, or fresh ones.
	start, err := plan.start(ctx, data, stages, backend, warn)
	if err != nil {
		return interrupted(ctx, err, "nothing was trained yet")
	}
	defer func() { start.close() }() // that of the stage at hand

	// Where it is kept, and who hears of it.
	run, err := plan.openRun(data, stages, backend, warn)
	if err != nil {
		return writeError(err)
	}
	defer func() { _ = run.Close() }() // it gives the lock back, as the end of the process does
	if err := becomeTrainer(run.Run); err != nil {
		return writeError(err)
	}
	sinks, err := openSinks(run, ui, stdout, stderr, notes, served)
	if err != nil {
		return writeError(err)
	}
	defer sinks.close() // where the run ends early; its end closes them below
	start.tell(run, sinks, begin)
	if served.url != "" {
		sinks.note(start.progress.Step, event.LevelInfo, "metrics are at "+served.url)
	}
	notes.into(func(text string) { sinks.note(sinks.step.Load(), event.LevelWarning, text) })
	watch := startMonitor(run, sinks, warn)
	defer watch.stop()

	// Who may interrupt it, besides signals.
	ctx, asked := hearRequests(ctx, run.listener, sinks, said)

	// The run, stage by stage; most have one.
	var progress train.Progress
	var last *train.Result
	var overlays []string
	loop := train.Loop{
		Val:             data.val.Pass,
		EvalShapes:      data.val.Shapes(),
		Emit:            sinks.emit,
		Scored:          func(r train.Result) { last = &r },
		Previews:        openPreviews(run, plan.config.Eval.Previews, warn),
		Skips:           openSkips(plan.config.Data, data, warn),
		Now:             time.Now,
		Pause:           pause,
		Asked:           asked.next,
		Classes:         classNames(data.classes),
		SamplesPerEpoch: data.train.SamplesPerEpoch(),
		EvalEvery:       data.evalEvery(plan.config.Eval),
		SaveEvery:       int64(plan.config.Checkpoint.EverySteps),
		SaveInterval:    minutes(plan.config.Checkpoint.EveryMinutes),
		SavePatience:    minutes(plan.config.Checkpoint.PatienceMinutes),
	}
	for more := true; more && err == nil; {
		stage := start.stage
		var engine *train.Engine
		if engine, err = newEngine(backend, stage.config.Device, stage.engine(data, start.values)); err != nil {
			break
		}
		loop.Train, loop.StepShapes = engine.Stage(data.train.Batches), data.train.ShapesFrom(start.progress.Cursor, stage.to-start.progress.Step)
		loop.Stepper, loop.Saver = engine, &saver{run: run, stage: stage, engine: engine}
		loop.Schedule, loop.From, loop.Steps = stage.rate, stage.from, stage.to
		progress, err = loop.Run(ctx, start.progress)
		if more = !stage.last(); err == nil && !more {
			overlays, err = drawOverlays(ctx, engine, run, warn)
		}
		idle = engine.Close() // before there is another: the device may not hold two
		if err == nil && more {
			start, err = run.nextStage(start, progress.Step, sinks)
		}
		if idle && run.mayGoBack(err, progress) {
			start, err = run.goBack(ctx, plan, start, progress, err, sinks, warn)
			more = true
		}
	}

	// What came of it.
	err = trainExit(run.Dir, howToGoOn(err, plan.config.Data))
	asked.close()
	tellSkips(loop.Skips, warn)
	watch.stop() // nothing is said after the last record
	sinks.emit(finished(progress, err, time.Since(begin)))
	sinks.close()
	if err == nil && ui != "json" {
		printEnd(stdout, run, progress, last, overlays)
		if share, ok := sinks.dataWait(); ok {
			printDataWait(stdout, share)
		}
	}
	return err
}

func minutes(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// trainExit gives what ended a run its exit code. That what was learned could not be kept
// counts more than why it was to be kept just then.
func trainExit(dir string, err error) error {
	var lost *train.DivergedError
	var stopped *train.InterruptedError
	var cause ending
	err = runError(dir, err)
	switch {
	case errors.As(err, &lost):
		return withCode(exitDiverged, err)
	case errors.As(err, &stopped) && errors.As(err, &cause):
		return withCode(cause.exit(), err)
	}
	return badSample(err)
}
