package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// inspectOptions are the flags of `fcnx inspect`.
type inspectOptions struct {
	network networkFlags
	size    string
	batch   int
	stats   bool
	memory  bool
	asJSON  bool

	precision *string
}

func newInspectCommand() *cobra.Command {
	var options inspectOptions
	cmd := &cobra.Command{
		Use:   "inspect [RUN|WEIGHTS]",
		Short: "Show the layers of a network: shapes, weights, work, receptive field, memory",
		Long: `Show a network operation by operation: the shape of what comes out for an image of --size, its weights and
multiply-adds, how much of the image a pixel of it sees; then what the network expects of its input, and its classes.
With --memory, XLA compiles an evaluation and a training step, and tells what they need; nothing is run.
` + networkHelp + `

A file that has only an encoder, or encoder and head, as torchvision's VGG, is shown as far as it goes. Of any other file
of tensors these are listed, and why they are no network here.

Without an argument, --model and the flags beside it describe a network that need not exist yet: --encoder is then vgg16,
--classes 21 and --geometry same, unless they are given.`,
		Example: `  fcnx inspect runs/mine --stats
  fcnx inspect vgg16-397923af.pth
  fcnx inspect --model fcn8s --encoder vgg16_bn --size 360x480 --batch 4 --memory
  fcnx inspect geometry 375x500 --model fcn8s --geometry paper`,
		// Not inherited from the root.
		SuggestionsMinimumDistance: 2,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError(fmt.Errorf("one RUN or WEIGHTS at most, not %d; see `%s --help`", len(args), cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runInspect(cmd, args, options) },
	}
	flags := cmd.Flags()
	options.network.register(cmd)
	flags.StringVar(&options.size, "size", "", "of the image, as `HxW`; without it what a run resizes or crops to, or 512x512")
	flags.IntVar(&options.batch, "batch", 0, "with --memory, images at a time, as `N`; without it as many as the run took, or 1 for each device in each micro-batch")
	flags.BoolVar(&options.stats, "stats", false, "read the weights: least, largest, mean, deviation and zeros of each variable")
	flags.BoolVar(&options.memory, "memory", false, "compile an evaluation and a training step, and tell what they need")
	flags.BoolVar(&options.asJSON, "json", false, "print one JSON object")
	options.precision = cmd.Flags().String("precision", "", "of the training step of --memory, as `name`; without it, the run's, or float32")
	backendFlag(cmd)
	cmd.AddCommand(newInspectGeometryCommand())
	return cmd
}

func runInspect(cmd *cobra.Command, args []string, options inspectOptions) error {
	// What is asked, and of which network.
	if err := options.check(cmd); err != nil {
		return usageError(err)
	}
	device, err := deviceConfig(cmd)
	if err != nil {
		return err
	}
	warn := warnTo(cmd.ErrOrStderr())
	path := ""
	if len(args) == 1 {
		if path, err = fetchedArgument(cmd.Context(), args[0], cmd.ErrOrStderr(), warn); err != nil {
			return err
		}
	}
	network, err := options.open(cmd.Context(), path, warn)
	if err != nil {
		return options.inspectStranger(cmd, path, err, warn)
	}
	defer network.Close()
	if p := *options.precision; p != "" {
		if err := checkPrecision(p); err != nil {
			return err
		}
		network.config.Train.Precision = p
	}
	if options.memory && network.parts != nil {
		return usageError(fmt.Errorf("%s has the %s of a network, which no step can be compiled of; --memory without a file describes one: fcnx inspect --model fcn8s --encoder %s --memory",
			network.source, strings.Join(network.parts, " and "), network.config.Model.Encoder))
	}
	h, w, batch, err := options.input(network.config, network.isRun)
	if err != nil {
		return usageError(err)
	}
	trace, err := network.trace(h, w)
	if err != nil {
		return usageError(err)
	}

	// What is known of it.
	report := newInspectReport(network, trace, batch)
	if options.stats {
		if report.Stats, err = network.stats(cmd.Context()); err != nil {
			return dataError(err)
		}
	}
	if options.memory {
		say := func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) }
		if report.Memory, err = network.memory(cmd.Context(), device, batch, h, w, say, warn); err != nil {
			return err
		}
	}
	if options.asJSON {
		return writeIndented(cmd.OutOrStdout(), report)
	}
	return report.print(cmd.OutOrStdout())
}

// check refuses what would have no effect.
func (o inspectOptions) check(cmd *cobra.Command) error {
	said := cmd.Flags().Changed
	if said("batch") && (o.batch < 1 || o.batch > 1<<16) {
		return fmt.Errorf("--batch %d: 1 to %d images", o.batch, 1<<16)
	}
	for _, flag := range []string{"batch", "precision", "backend"} {
		if !o.memory && said(flag) {
			return fmt.Errorf("--%s is for --memory; without it nothing is compiled, and layers are those of one image", flag)
		}
	}
	return nil
}

// open opens path, or without one makes up the network of the flags.
func (o inspectOptions) open(ctx context.Context, path string, warn func(string)) (*network, error) {
	if path != "" {
		flags := o.network
		flags.look = true
		return openNetwork(ctx, path, flags, warn)
	}
	if o.network.which != "" || o.network.step >= 0 {
		return nil, usageError(errors.New("--which and --step choose between the checkpoints of a run; say which RUN"))
	}
	if o.stats {
		return nil, usageError(errors.New("--stats is about weights; say which RUN or WEIGHTS"))
	}
	if o.memory {
		return describedNetwork(o.network, "train.accumulate", "train.recompute", "device.devices")
	}
	return describedNetwork(o.network)
}

// inspectStranger shows at least the tensors of a file in which no network was
// recognised. Whoever described one, or asked for more than tensors, gets the error.
func (o inspectOptions) inspectStranger(cmd *cobra.Command, path string, why error, warn func(string)) error {
	if path == "" || o.stats || o.memory || len(o.network.said()) > 0 {
		return why
	}
	report, ok := inspectTensors(cmd.Context(), path, why)
	if !ok {
		return why
	}
	warn(report.Reason)
	if o.asJSON {
		return writeIndented(cmd.OutOrStdout(), report)
	}
	return report.print(cmd.OutOrStdout())
}

// trace follows an image through the network, or through the part of it that there is.
func (n *network) trace(h, w int) (models.Trace, error) {
	net := n.config.Network()
	if n.parts == nil {
		return net.Trace(h, w)
	}
	last := "pool5"
	if slices.Contains(n.parts, models.PartHead) {
		last = "drop7"
	}
	// What would come behind it plays no role, if only it is a network.
	net.Arch, net.Classes = "fcn32s", 2
	trace, err := net.Trace(h, w)
	return trace.Until(last), err
}

// describedNetwork is a network without weights, as flags describe it. The keys too may
// be set beside those that always may.
func describedNetwork(flags networkFlags, too ...string) (*network, error) {
	if flags.arch == "" {
		return nil, usageError(errors.New("which network? Say a RUN or WEIGHTS, or describe one: --model fcn8s, and --encoder, --classes, --geometry, --set model.*"))
	}
	for _, set := range flags.sets {
		key, _, _ := strings.Cut(set, "=")
		if !strings.HasPrefix(key, "model.") && !strings.HasPrefix(key, "preprocess.") && key != "augment.resize" && !slices.Contains(too, key) {
			return nil, usageError(fmt.Errorf("--set %s: only keys of [model] and [preprocess], augment.resize, and with --memory train.accumulate, train.recompute and device.devices, describe a network", set))
		}
	}
	if flags.encoder == "" {
		flags.encoder = train.Default().Model.Encoder
	}
	if flags.classes == 0 {
		flags.classes = 21 // those of VOC, and of the paper
	}
	if flags.geometry == "" {
		flags.geometry = train.Default().Model.Geometry
	}
	config, err := loadNetworkConfig(flags.sources())
	if err != nil {
		return nil, usageError(err)
	}
	return &network{config: config, classes: numbered(config.Model.Classes), close: func() error { return nil }}, nil
}

// input is the size and the number of images.
func (o inspectOptions) input(c train.Config, isRun bool) (h, w, batch int, err error) {
	size := "512x512"
	switch {
	case o.size != "":
		size = o.size
	case c.Augment.Resize != "":
		size = c.Augment.Resize
	case c.Augment.Crop != "":
		size = c.Augment.Crop
	}
	if h, w, err = train.ParseSize(size); err != nil {
		return 0, 0, 0, fmt.Errorf("--size: %w", err)
	}
	smallest, err := c.SmallestBatch()
	switch {
	case err != nil:
		return 0, 0, 0, err
	case o.batch > 0:
		return h, w, o.batch, checkShared(o.batch, smallest)
	case isRun:
		return h, w, c.Train.Batch, nil
	}
	return h, w, smallest, nil
}

// memory compiles both steps for a batch as the loader would pad it. nil, and a
// warning, where the backend does not tell what they need.
func (n *network) memory(ctx context.Context, config train.DeviceConfig, batch, h, w int, say, warn func(string)) (*memoryReport, error) {
	config = n.settings(config)
	config.Devices = n.config.Device.Devices
	each := batch / config.Devices
	backend, err := openAnyBackend(ctx, config, warn)
	if err != nil {
		return nil, backendError(err)
	}
	defer backend.Close()
	if there := backend.Devices; there < config.Devices {
		if backend.Kind != device.Go {
			warn(fmt.Sprintf("%s has %d of the %d devices: compiled is what one of them does with its share, without what they send each other", backend.Kind, there, config.Devices))
		}
		config.Devices = 1
	}
	warnOfPrecision(backend, warn, n.config.Train.Precision)
	cfg := n.engineConfig()
	cfg.Values = nil // the sizes of the weights will do
	cfg.Devices = config.Devices
	engine, err := newEngine(backend, n.config.Device, cfg)
	if err != nil {
		return nil, err
	}
	defer engine.Close()

	r := &memoryReport{Backend: backendName(backend), Devices: n.config.Device.Devices, Batch: batch}
	multiple := multipleOf(n.config.Model.Geometry)
	r.Height, r.Width = (h+multiple-1)/multiple*multiple, (w+multiple-1)/multiple*multiple
	for _, step := range []struct {
		kind    string
		compile func(n, h, w int) (train.Memory, error)
		into    *memoryFigures
	}{
		{"evaluation", engine.EvalMemory, &r.Evaluation},
		{"training step", engine.StepMemory, &r.TrainingStep},
	} {
		if backend.Kind != device.Go {
			say(fmt.Sprintf("compiling %s %dx%dx%d", step.kind, batch, r.Height, r.Width))
		}
		m, err := step.compile(each, r.Height, r.Width)
		if errors.Is(err, train.ErrNoMemoryStats) {
			warn(fmt.Sprintf("--memory: the backend %s does not tell what a compiled step needs; XLA does: --backend cpu or cuda", backend.Kind))
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		*step.into = memoryFigures{m, m.Needed()}
	}
	return r, nil
}
