package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/train"
)

func newBenchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench [--config F.toml] [--set key=value]... [--data SPEC]",
		Short: "Time a network on this machine, and tell what limits it",
		Long: `Time what a run is made of, and compare it with what the machine can do: the share of the arithmetic of a large
matrix product, the time that a plain file of a checkpoint's size takes, the rate at which the loader feeds a step.
All parts are timed in turns; the numbers are medians. Weights are fresh and pixels noise: the time depends on neither.

  inference   what 'fcnx predict' does with a batch in memory: bytes in, masks of classes out
  train       the training step of 'fcnx train'
  update      that step on 32x32, where weights, their gradients and the update are nearly all the work
  data        batches from the loader, augmented as [augment] says
  eval        the validation set scored, loading included
  checkpoint  saved and loaded, in a directory of its own below --out that is removed again
  dashboard   a frame of 200x60 of a long run

--config takes the recipe of a run, --set any key of it. Without --data the images are drawn.
With --server it runs everything once, says so, and answers lines "MODE N" on stdin with the seconds of each of N runs, so that
another program's turn can come in between: that is how bench/compare.py measures it against PyTorch. Modes are infer and
train, or those of --only.`,
		Example: `  fcnx bench
  fcnx bench --only inference,train --size 224x224,320x320 --batch 1,4
  fcnx bench --config recipes/camvid-narrow.toml --data camvid:CamVid --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBench(cmd, o) },
	}
	o.register(cmd)
	return cmd
}

// runBench is the command, in the order in which it happens.
func runBench(cmd *cobra.Command, o benchOptions) error {
	stderr := cmd.ErrOrStderr()
	warn := warnTo(stderr)
	ctx, stop := untilSignal(cmd.Context(), stderr, "what runs is finished; once more to leave at once")
	defer stop()

	plan, err := o.plan(cmd, warn)
	if err != nil {
		return usageError(err)
	}
	backend, err := openBackend(ctx, plan.config.Device, warn)
	if err != nil {
		return interrupted(ctx, backendError(err), untimed)
	}
	warnOfPrecision(backend, warn, plan.config.Train.Precision)
	b := &bench{plan: plan, backend: backend, warn: warn, say: func(string) {}}
	defer b.close()
	if !o.server && !o.asJSON {
		b.say = func(text string) { fmt.Fprintln(stderr, text) }
	}
	if err := b.open(ctx); err != nil {
		return interrupted(ctx, err, untimed)
	}
	if o.server {
		return interrupted(ctx, b.serve(ctx, cmd.InOrStdin(), cmd.OutOrStdout()), untimed)
	}
	if err := b.run(ctx); err != nil {
		return interrupted(ctx, err, untimed)
	}
	report := b.report()
	if o.asJSON {
		return writeIndented(cmd.OutOrStdout(), report)
	}
	_, err = io.WriteString(cmd.OutOrStdout(), report.text())
	return err
}

// untimed is what a signal finds done before there is a result.
const untimed = "nothing was timed to its end"

// bench is what is timed, and what it is timed with.
type bench struct {
	plan    *benchPlan
	backend *device.Backend
	engine  *train.Engine
	engines []*train.Engine // engine, and what else there is to close
	product *device.Product
	cases   []*benchCase
	closers []func()
	warn    func(string)
	say     func(string) // what happens at the moment
}

// benchCase is one thing that is timed.
type benchCase struct {
	part string // as of --only
	key  string // tells it from others of the part; "" where there is one
	name string // for people
	// What one run of it handles: images, bytes or frames, how many.
	unit   string
	amount float64
	// multiplyAdds of one run; 0 where they are not what it is about.
	multiplyAdds int64
	batch, h, w  int // 0 where there is no batch
	// once runs it, and tells what of that counts.
	once func(ctx context.Context) (time.Duration, error)
	// memory is what the device needs for it; nil: nobody tells.
	memory func() (train.Memory, error)
	// rest gives back what it holds between its turns, for the memory of others counts
	// then; nil: there is nothing.
	rest func()

	first   time.Duration // the first run, compilation included
	seconds []float64     // of the others
	still   []float64     // of a save: seconds for which training stands still
	peak    int64         // bytes that the process had at most in the first run
	device  *train.Memory // of memory
}

// timed makes once of something all of which counts.
func timed(run func(ctx context.Context) error) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		begin := time.Now()
		err := run(ctx)
		return time.Since(begin), err
	}
}

// open prepares all that was asked for. Nothing is compiled yet.
func (b *bench) open(ctx context.Context) error {
	var err error
	if b.engine, err = b.newEngine(false); err != nil {
		return err
	}
	for _, part := range []struct {
		names []string
		open  func(ctx context.Context) error
	}{
		{[]string{partInference, partTrain, partUpdate}, b.openSteps},
		{[]string{partData, partEval}, b.openData},
		{[]string{partCheckpoint}, b.openCheckpoint},
		{[]string{partDashboard}, b.openDashboard},
	} {
		if b.plan.wants(part.names...) {
			if err := part.open(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// newEngine makes an engine, which is closed with all else. resized is that of [train.EngineConfig].
func (b *bench) newEngine(resized bool) (*train.Engine, error) {
	cfg := b.plan.config
	engine, err := newEngine(b.backend, cfg.Device, train.EngineConfig{
		Net: cfg.Network(), Preprocess: cfg.Preprocess.Models(), Train: cfg.Train, Precision: cfg.Train.Precision,
		Seed: cfg.Run.Seed, Devices: cfg.Device.Devices, Now: time.Now, Resized: resized,
	})
	if err != nil {
		return nil, usageError(err)
	}
	b.engines = append(b.engines, engine)
	return engine, nil
}

// run times everything: once each to compile, and to see what memory that takes, and
// then in rounds, so that a slow minute of the machine falls on all alike.
func (b *bench) run(ctx context.Context) error {
	if err := b.openProduct(); err != nil {
		return err
	}
	for _, c := range b.cases {
		b.say("first run of " + c.name)
		if err := b.begin(ctx, c); err != nil {
			return err
		}
	}
	for round := range b.plan.rounds {
		b.say(fmt.Sprintf("round %d of %d", round+1, b.plan.rounds))
		for _, c := range b.cases {
			for range b.plan.steps(c) {
				took, err := c.once(ctx)
				if err = errors.Join(err, ctx.Err()); err != nil {
					return badSample(err)
				}
				c.seconds = append(c.seconds, took.Seconds())
			}
			c.pause()
		}
	}
	return nil
}

// label is what JSON and the lines of --server call a case.
func (c *benchCase) label() string {
	if c.key != "" {
		return c.part + "_" + c.key
	}
	return c.part
}

// begin runs a case for the first time.
func (b *bench) begin(ctx context.Context, c *benchCase) error {
	peak := watchPeak()
	took, err := c.once(ctx)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return badSample(err)
	}
	c.first, c.peak = took, peak()
	c.pause()
	if c.memory == nil {
		return nil
	}
	memory, err := c.memory()
	switch {
	case errors.Is(err, train.ErrNoMemoryStats):
		return nil
	case err != nil:
		return err
	}
	c.device = &memory
	return nil
}

// pause ends a turn.
func (c *benchCase) pause() {
	if c.rest != nil {
		c.rest()
	}
}

// openProduct adds the matrix product that the network is compared with.
func (b *bench) openProduct() (err error) {
	if b.product, err = b.backend.NewProduct(productOf(b.plan.config.Train.Precision), time.Now); err != nil {
		return err
	}
	product := &benchCase{
		part: partProduct, name: fmt.Sprintf("product of %[1]dx%[1]d", b.product.N), unit: "products", amount: 1,
		multiplyAdds: int64(b.product.FLOP() / 2),
		once:         func(context.Context) (time.Duration, error) { return b.product.Run() },
		rest:         b.product.Rest,
	}
	b.cases = append([]*benchCase{product}, b.cases...)
	return nil
}

// productOf is the precision of the product that a precision of training is held to.
func productOf(precision string) string {
	if precision == "bfloat16" {
		return precision
	}
	return "float32"
}

func (b *bench) close() {
	for _, f := range b.closers {
		f()
	}
	if b.product != nil {
		b.product.Close()
	}
	closeEngines(b.backend, b.engines...)
}
