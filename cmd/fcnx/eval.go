package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event"
)

// evalOptions are the flags of `fcnx eval`.
type evalOptions struct {
	network networkFlags
	data    string
	split   string
	batch   int
	asJSON  bool

	precision *string
	// Where it is not said, a run has a cap of its own.
	maxPixels *int64
}

func newEvalCommand() *cobra.Command {
	var options evalOptions
	cmd := &cobra.Command{
		Use:   "eval RUN|WEIGHTS",
		Short: "Score a trained network on a data set",
		Long: `Score a trained network: one confusion matrix over the whole set, at the labels' own size.
` + networkHelp + `

The data are the run's own unless --data says others.
` + specHelp,
		Example: `  fcnx eval runs/mine
  fcnx eval runs/mine --data folder:other --split test --json
  fcnx eval vgg.safetensors --model fcn8s --encoder vgg16 --classes 21 --geometry same --data voc:VOC2012`,
		Args: oneArgument("RUN or WEIGHTS"),
		RunE: func(cmd *cobra.Command, args []string) error { return runEval(cmd, args[0], options) },
	}
	options.network.register(cmd)
	cmd.Flags().StringVar(&options.data, "data", "", "score on this `SPEC`; without it, on the data of the run")
	cmd.Flags().StringVar(&options.split, "split", datasets.Val, "train, val or test")
	cmd.Flags().IntVar(&options.batch, "batch", 0, "images at a time, as `N`; without it, as many as the run took, or 8")
	cmd.Flags().BoolVar(&options.asJSON, "json", false, "print one JSON object")
	options.maxPixels = maxPixelsFlag(cmd)
	options.precision = precisionFlag(cmd)
	backendFlag(cmd)
	return cmd
}

func runEval(cmd *cobra.Command, arg string, options evalOptions) error {
	stderr := cmd.ErrOrStderr()
	warn := warnTo(stderr)
	ctx, stop := untilSignal(cmd.Context(), stderr, "the batch is finished; once more to leave at once")
	defer stop()

	if cmd.Flags().Changed("batch") && options.batch < 1 {
		return usageError(fmt.Errorf("--batch %d: at least 1 image", options.batch))
	}
	device, err := deviceConfig(cmd)
	if err != nil {
		return err
	}
	if err := checkPrecision(*options.precision); err != nil {
		return err
	}
	network, err := openArgument(ctx, arg, options.network, stderr, warn)
	if err != nil {
		return err
	}
	defer network.Close()

	spec, err := options.spec(network)
	if err != nil {
		return usageError(err)
	}
	maxPixels := *options.maxPixels
	if network.isRun && !cmd.Flags().Changed("max-pixels") {
		maxPixels = int64(network.config.Data.MaxPixels)
	}
	if spec, err = cappedSpec(spec, maxPixels); err != nil {
		return err
	}
	pass, err := options.open(ctx, network, spec, warn)
	if err != nil {
		return interrupted(ctx, specError(err), unscored)
	}
	network.precision = *options.precision
	scored, err := network.score(ctx, device, pass, warn, func() {
		if balance := network.config.Train.ClassBalance; balance != "" {
			warn(fmt.Sprintf("the loss counts all classes alike, and not by train.class_balance = %q as the run did", balance))
		}
		fmt.Fprintf(stderr, "%s on the %d samples of %s, split %s\n", network.source, pass.Samples(), spec, options.split)
	})
	if err != nil {
		return err
	}
	if options.asJSON {
		return writeIndented(cmd.OutOrStdout(), newEvalReport(scored.Result, network.classes))
	}
	return printResult(cmd.OutOrStdout(), scored.Result, network.classes)
}

// unscored is what a signal finds done before there is a result.
const unscored = "nothing was scored"

// scored is the result of a pass, and what computed it.
type scored struct {
	train.Result
	backend string
	seconds float64
}

// score scores the network on pass, on a backend of its own. begins is called when nothing
// is left to do but that.
func (n *network) score(ctx context.Context, device train.DeviceConfig, pass *datasets.Evaluation, warn func(string), begins func()) (scored, error) {
	backend, err := openBackend(ctx, n.settings(device), warn)
	if err != nil {
		return scored{}, interrupted(ctx, backendError(err), unscored)
	}
	warnOfPrecision(backend, warn, n.precision)
	engine, err := newEngine(backend, n.config.Device, n.engineConfig())
	if err != nil {
		backend.Close()
		return scored{}, err
	}
	defer closeEngines(backend, engine)
	begins()
	begin := time.Now()
	result, err := train.Evaluate(ctx, engine, pass.Pass, len(n.classes), nil, nil)
	if err != nil {
		return scored{}, interrupted(ctx, badSample(err), unscored)
	}
	return scored{result, backendName(backend), time.Since(begin).Seconds()}, nil
}

// engineConfig is for a network that is used and not trained.
func (n *network) engineConfig() train.EngineConfig {
	return train.EngineConfig{
		Net:        n.config.Network(),
		Preprocess: n.config.Preprocess.Models(),
		Train:      n.config.Train,
		Values:     n.values,
		Precision:  n.precision,
		Now:        time.Now,
		Resized:    n.config.Augment.Resize != "",
	}
}

// spec is the data to score on.
func (o evalOptions) spec(n *network) (string, error) {
	if err := checkSplit(o.split, "train, val or test"); err != nil {
		return "", err
	}
	switch data := n.config.Data; {
	case o.data != "":
		return o.data, nil
	case !n.isRun:
		return "", errors.New("weights do not say what to score on; add --data SPEC")
	case o.split == datasets.Val && data.ValSpec != "":
		return data.ValSpec, nil
	default:
		return data.Spec, nil
	}
}

// open opens and checks the data.
func (o evalOptions) open(ctx context.Context, n *network, spec string, warn func(string)) (*datasets.Evaluation, error) {
	source, err := datasets.Open(spec, o.split)
	if err != nil {
		return nil, err
	}
	batch := n.config.Train.Batch
	if n.config.Eval.Batch > 0 {
		batch = n.config.Eval.Batch
	}
	if o.batch > 0 {
		batch = o.batch
	}
	return n.evaluation(ctx, source, spec, o.split, batch, n.config.Data.Buckets, warn)
}

// evaluation is a pass over source, once it is known that the network can be scored
// on it, and settles what the classes are called. spec and split are for messages.
func (n *network) evaluation(ctx context.Context, source datasets.Source, spec, split string, batch, buckets int, warn func(string)) (*datasets.Evaluation, error) {
	if !n.named {
		copy(n.classes, source.Classes())
	}
	if err := sameClasses(n.classes, source.Classes(), spec); err != nil {
		return nil, err
	}
	if _, err := (dataCheck{spec: spec, split: split, warn: warn}).run(ctx, source); err != nil {
		return nil, err
	}
	cfg := datasets.LoaderConfig{
		Batch: batch, Buckets: buckets, Workers: n.config.Data.Workers,
		Multiple: multipleOf(n.config.Model.Geometry),
	}
	if resize := n.config.Augment.Resize; resize != "" {
		var err error
		if cfg.Height, cfg.Width, err = train.ParseSize(resize); err != nil {
			return nil, err
		}
		cfg.Fixed = datasets.Resize(cfg.Height, cfg.Width)
	}
	return datasets.NewEvaluation(ctx, source, cfg)
}

// evalReport is what `eval --json` prints: fractions, and null for a class that is
// in neither labels nor predictions.
type evalReport struct {
	Samples       int                     `json:"samples"`
	PixelAccuracy event.Float             `json:"pixel_accuracy"`
	MeanAccuracy  event.Float             `json:"mean_accuracy"`
	MeanIoU       event.Float             `json:"mean_iou"`
	FwIoU         event.Float             `json:"fw_iou"`
	Loss          event.Float             `json:"loss"`
	ClassIoU      map[string]*event.Float `json:"class_iou"`
}

func newEvalReport(result train.Result, classes []datasets.Class) evalReport {
	r := result.Record(classNames(classes))
	return evalReport{r.Samples, r.PixelAccuracy, r.MeanAccuracy, r.MeanIoU, r.FwIoU, r.Loss, r.ClassIoU}
}

// printResult is for people.
func printResult(w io.Writer, result train.Result, classes []datasets.Class) error {
	if err := result.Confusion.Table(w, classNames(classes)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nloss %.4f on %d samples\n", result.Loss, result.Samples)
	return err
}
