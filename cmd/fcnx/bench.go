package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
)

// benchOptions say what is timed.
type benchOptions struct {
	arch, encoder, size, backend string
	classes, batch, width, head  int
	steps                        int
	server                       bool
}

func newBenchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Time inference and the training step of a network on this machine",
		Long: `Time inference and the training step of a network on this machine, on random images, with SGD and momentum.

Inference is what ` + "`fcnx predict`" + ` does with an image in memory: bytes in, the mask of classes out. The training step is
that of ` + "`fcnx train`" + `. With --server it answers lines "infer N" and "train N" on stdin, so that another program's turn can
come in between: that is how bench/compare.py measures it against PyTorch.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBench(cmd, o) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.arch, "arch", "fcn8s", "fcn32s, fcn16s or fcn8s")
	flags.StringVar(&o.encoder, "encoder", "vgg16", "vgg11, vgg13, vgg16 or vgg19, also with _bn")
	flags.StringVar(&o.size, "size", "320x320", "height and width of the images, as `HxW`")
	flags.IntVar(&o.batch, "batch", 1, "images a step")
	flags.IntVar(&o.classes, "classes", 21, "number of classes")
	flags.IntVar(&o.width, "width", 64, "channels of the first stage")
	flags.IntVar(&o.head, "head", 4096, "channels of fc6 and fc7")
	flags.StringVar(&o.backend, "backend", "auto", "auto, cpu, cuda or go")
	flags.IntVar(&o.steps, "steps", 5, "how often each is timed")
	flags.BoolVar(&o.server, "server", false, "wait for \"infer N\" and \"train N\" on stdin")
	return cmd
}

// bench is one network with its batch.
type bench struct {
	engine *train.Engine
	batch  *datasets.Batch
	lr     float64
	done   int64 // training steps
}

// benchResult is one line of output.
type benchResult struct {
	Mode         string    `json:"mode"`
	Seconds      []float64 `json:"seconds"`
	PeakRSSBytes int64     `json:"peak_rss_bytes"`
}

func runBench(cmd *cobra.Command, o benchOptions) error {
	config := train.Default()
	config.Model.Arch, config.Model.Encoder, config.Model.Classes = o.arch, o.encoder, o.classes
	config.Model.Width, config.Model.Head = o.width, o.head
	config.Train.LR, config.Train.BiasLR = 1e-4, 2
	h, w, err := train.ParseSize(o.size)
	if err != nil {
		return usageError(fmt.Errorf("--size: %w", err))
	}
	if o.batch < 1 || o.steps < 1 {
		return usageError(fmt.Errorf("--batch %d and --steps %d: both at least 1", o.batch, o.steps))
	}
	if err := config.ValidateNetwork(); err != nil {
		return usageError(err)
	}
	config.Device.Backend = o.backend
	backend, err := openBackend(cmd.Context(), config.Device, warnTo(cmd.ErrOrStderr()))
	if err != nil {
		return backendError(err)
	}
	defer backend.Close()
	engine, err := newEngine(backend, config.Device, train.EngineConfig{
		Net: config.Network(), Preprocess: config.Preprocess.Models(), Train: config.Train, Seed: 1, Now: time.Now,
	})
	if err != nil {
		return usageError(err)
	}
	defer engine.Close()

	b := &bench{engine: engine, batch: randomBatch(o, h, w), lr: config.Train.LR}
	out := json.NewEncoder(cmd.OutOrStdout())
	if o.server {
		return b.serve(cmd.InOrStdin(), out)
	}
	for _, mode := range []string{"infer", "train"} {
		if _, err := b.time(mode, 1); err != nil { // compiles
			return err
		}
		result, err := b.time(mode, o.steps)
		if err != nil {
			return err
		}
		if err := out.Encode(result); err != nil {
			return err
		}
	}
	return nil
}

// serve answers "infer N" and "train N" until stdin ends. Its first line says that
// both are compiled, and how long that took.
func (b *bench) serve(in io.Reader, out *json.Encoder) error {
	compile := map[string]float64{}
	for _, mode := range []string{"infer", "train"} {
		first, err := b.time(mode, 1)
		if err != nil {
			return err
		}
		compile[mode] = first.Seconds[0]
	}
	if err := out.Encode(map[string]any{"ready": true, "compile_seconds": compile}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		mode, count, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			return usageError(fmt.Errorf("%q on stdin: write \"infer N\" or \"train N\"", lines.Text()))
		}
		result, err := b.time(mode, n)
		if err != nil {
			return err
		}
		if err := out.Encode(result); err != nil {
			return err
		}
	}
	return lines.Err()
}

// time runs the mode n times and tells the seconds of each.
func (b *bench) time(mode string, n int) (benchResult, error) {
	result := benchResult{Mode: mode}
	for range n {
		begin := time.Now()
		var err error
		switch mode {
		case "infer":
			_, err = b.engine.Masks(b.batch)
		case "train":
			_, err = b.engine.Step(b.batch, b.done, b.lr)
			b.done++
		default:
			err = usageError(fmt.Errorf("%q is no mode: use infer or train", mode))
		}
		if err != nil {
			return result, err
		}
		result.Seconds = append(result.Seconds, time.Since(begin).Seconds())
	}
	debug.FreeOSMemory()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return result, err
	}
	result.PeakRSSBytes = usage.Maxrss << 10
	return result, nil
}

// randomBatch has noise for images and labels: the time does not depend on them.
func randomBatch(o benchOptions, h, w int) *datasets.Batch {
	rng := rand.New(rand.NewPCG(1, 1))
	b := &datasets.Batch{
		Images: make([]uint8, o.batch*h*w*3), N: o.batch, H: h, W: w,
		Labels: make([]uint8, o.batch*h*w), LabelH: h, LabelW: w, Count: o.batch,
	}
	for i := range b.Images {
		b.Images[i] = uint8(rng.Uint32())
	}
	for i := range b.Labels {
		b.Labels[i] = uint8(rng.IntN(o.classes))
	}
	for range o.batch {
		b.Sizes = append(b.Sizes, int32(h), int32(w))
	}
	b.LabelSizes = b.Sizes
	return b
}
