package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/predict"
	"github.com/fcnx/fcnx/train"
)

// progressEvery is the time between two lines about how far a prediction is.
const progressEvery = 5 * time.Second

// predictOptions are the flags of `fcnx predict`.
type predictOptions struct {
	network      networkFlags
	out          string
	overlay      bool
	logits       bool
	skipExisting bool
	shard        string
	batch        int
	tile         int
	maxPixels    *int64
	precision    *string
}

func newPredictCommand() *cobra.Command {
	var options predictOptions
	cmd := &cobra.Command{
		Use:   "predict RUN|WEIGHTS INPUT... --out DIR",
		Short: "Segment images with a trained network",
		Long: `Segment images of any size. For photos/a.jpg below the INPUT photos, DIR/a.png is a paletted PNG of class indices;
--overlay adds a_overlay.png, --logits a.npy, float32 [classes,H,W]. All have the image's own size.

INPUT is an image file, a directory (all images in it and below), or @LIST, a text file with a path a line. A file that
cannot be used is reported, the others are done, and the exit code is 4.
` + networkHelp,
		Example: `  fcnx predict runs/mine photo.jpg --out masks --overlay
  fcnx predict mine.safetensors photos @more.txt --out masks --shard 2/8 --skip-existing`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usageError(fmt.Errorf("a RUN or WEIGHTS and at least one INPUT are needed; see `%s --help`", cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runPredict(cmd, args[0], args[1:], options) },
	}
	flags := cmd.Flags()
	flags.StringVar(&options.out, "out", "", "write below this `directory`")
	flags.BoolVar(&options.overlay, "overlay", false, "also write NAME_overlay.png, the image under its mask")
	flags.BoolVar(&options.logits, "logits", false, "also write NAME.npy, the scores before softmax")
	flags.BoolVar(&options.skipExisting, "skip-existing", false, "leave images alone whose outputs are all there")
	flags.StringVar(&options.shard, "shard", "1/1", "do part i of n, as `i/n`: 1/4, 2/4, 3/4 and 4/4 are together the whole")
	flags.IntVar(&options.batch, "batch", 1, "images, or tiles, at a time, as `N`")
	flags.IntVar(&options.tile, "tile", 1536, "predict images with a side above `N` pixels in tiles of that size")
	options.maxPixels = maxPixelsFlag(cmd)
	options.network.register(cmd)
	options.precision = precisionFlag(cmd)
	backendFlag(cmd)
	return cmd
}

func runPredict(cmd *cobra.Command, arg string, args []string, options predictOptions) error {
	stdout, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
	warn := warnTo(stderr)
	begin := time.Now()
	ctx, stop := untilSignal(cmd.Context(), stderr, "the batch is finished; once more to leave at once")
	defer stop()

	// What is wanted, and whether it can be.
	one, of, err := options.check()
	if err != nil {
		return usageError(err)
	}
	device, err := deviceConfig(cmd)
	if err != nil {
		return err
	}
	if err := checkPrecision(*options.precision); err != nil {
		return err
	}
	inputs, err := predict.Inputs(args, options.out)
	if err != nil {
		return dataError(err)
	}
	network, err := openArgument(ctx, arg, options.network, stderr, warn)
	if err != nil {
		return err
	}
	defer network.Close()
	network.precision = *options.precision
	o, err := options.predict(network)
	if err != nil {
		return err
	}
	if err := o.Check(inputs); err != nil {
		return usageError(err)
	}
	inputs = predict.Shard(inputs, one, of)
	there := 0
	if options.skipExisting {
		missing := o.Missing(inputs)
		inputs, there = missing, len(inputs)-len(missing)
	}
	o.Failed = func(_ string, err error) { fmt.Fprintf(stderr, "fcnx: %s\n", harmless(err.Error())) }
	o.Progress = progressLine(stderr, begin)

	// The work.
	summary, err := options.run(ctx, network, device, inputs, o, warn)
	if err = writeErrorBelow(options.out, err); err != nil {
		return interrupted(ctx, err, fmt.Sprintf("%d of %d images are done; with --skip-existing the same command does the rest", summary.Done, len(inputs)))
	}
	images := "images"
	if summary.Done+summary.Failed == 1 {
		images = "image"
	}
	fmt.Fprintf(stdout, "%d %s, %d failed, ", summary.Done+summary.Failed, images, summary.Failed)
	if there > 0 {
		fmt.Fprintf(stdout, "%d were there already, ", there)
	}
	fmt.Fprintf(stdout, "%.1f s\n", time.Since(begin).Seconds())
	if summary.Failed > 0 {
		return &quietExit{exitBadData}
	}
	return nil
}

// check is about flags alone.
func (o predictOptions) check() (one, of int, err error) {
	switch {
	case o.out == "":
		return 0, 0, errors.New("no place to write to; add --out DIR")
	case o.batch < 1:
		return 0, 0, fmt.Errorf("--batch %d: at least 1 image", o.batch)
	case o.tile < predict.MinTile || o.tile%32 != 0:
		return 0, 0, fmt.Errorf("--tile %d: a multiple of 32, and at least %d, so that tiles overlap by all that a pixel looks around", o.tile, predict.MinTile)
	}
	if err := checkMaxPixels(*o.maxPixels); err != nil {
		return 0, 0, err
	}
	i, n, _ := strings.Cut(o.shard, "/")
	one, errOne := strconv.Atoi(i)
	of, errOf := strconv.Atoi(n)
	if errOne != nil || errOf != nil || one < 1 || one > of {
		return 0, 0, fmt.Errorf("--shard %s: write i/n, from 1/n to n/n", o.shard)
	}
	return one, of, nil
}

// predict is what the network adds to the flags.
func (o predictOptions) predict(n *network) (predict.Options, error) {
	p := predict.Options{
		Out: o.out, Overlay: o.overlay, Logits: o.logits, Classes: n.classes,
		Batch: o.batch, Tile: o.tile, MaxPixels: *o.maxPixels, Multiple: multipleOf(n.config.Model.Geometry),
	}
	var err error
	if resize := n.config.Augment.Resize; resize != "" {
		p.Height, p.Width, err = train.ParseSize(resize)
	}
	return p, err
}

func (o predictOptions) run(ctx context.Context, n *network, device train.DeviceConfig, inputs []predict.Input, p predict.Options, warn func(string)) (predict.Summary, error) {
	if len(inputs) == 0 {
		return predict.Summary{}, nil
	}
	backend, err := openBackend(ctx, n.settings(device), warn)
	if err != nil {
		return predict.Summary{}, backendError(err)
	}
	defer backend.Close()
	warnOfPrecision(backend, warn, n.precision)
	cfg := n.engineConfig()
	cfg.Resized = false // package predict brings scores to the image's size by itself
	engine, err := newEngine(backend, n.config.Device, cfg)
	if err != nil {
		return predict.Summary{}, err
	}
	defer engine.Close()
	return predict.Run(ctx, engine, inputs, p)
}

// progressLine writes a line every few seconds, and none about what is quickly done.
func progressLine(w io.Writer, begin time.Time) func(done, of int) {
	last := begin
	return func(done, of int) {
		now := time.Now()
		if now.Sub(last) < progressEvery || done == of {
			return
		}
		last = now
		left := now.Sub(begin) / time.Duration(done) * time.Duration(of-done)
		fmt.Fprintf(w, "%d of %d images, about %v left\n", done, of, left.Round(time.Second))
	}
}
