package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/models"
)

func newReproduceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reproduce",
		Short: "Score published networks as they were published",
		// Not inherited from the root.
		SuggestionsMinimumDistance: 2,
		Args:                       noSuchCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newReproduceVOCCommand())
	return cmd
}

// reproduceOptions are the flags of `fcnx reproduce voc`.
type reproduceOptions struct {
	network   networkFlags
	lists     datasets.Seg11
	batch     int
	buckets   int
	tolerance float64
	asJSON    bool
}

func newReproduceVOCCommand() *cobra.Command {
	var options reproduceOptions
	cmd := &cobra.Command{
		Use:   "voc WEIGHTS --data DIR",
		Short: "Score weights on seg11valid, beside the published numbers",
		Long: `Score the FCN-32s, 16s or 8s of WEIGHTS on seg11valid, the 736 images of VOC2011's val list that SBD does not train
on, and print pixel accuracy, mean accuracy, mean IoU and frequency weighted IoU beside those published for the authors'
weights. Exit code 1 says that one of them is further off than --tolerance.

DIR has JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/, of VOC2011 or a later year. The list is --ids FILE, or
seg11valid.txt in ImageSets/Segmentation, or is computed: VOC2011's val.txt less SBD's train.txt, which are looked for in
DIR and beside it. No image is padded or resized, so each size of image is compiled once: some minutes on a CPU.
` + networkHelp,
		Example: `  fcnx reproduce voc fcn8s-heavy-pascal.caffemodel --data VOCdevkit/VOC2012 --ids seg11valid.txt
  fcnx reproduce voc fcn32s_from_caffe.pth --data VOCdevkit/VOC2011 --sbd benchmark_RELEASE/dataset/train.txt --json`,
		Args: oneArgument("WEIGHTS"),
		RunE: func(cmd *cobra.Command, args []string) error { return runReproduceVOC(cmd, args[0], options) },
	}
	options.network.register(cmd)
	cmd.Flags().StringVar(&options.lists.VOC, "data", "", "the `directory` of VOC")
	cmd.Flags().StringVar(&options.lists.IDs, "ids", "", "score on the images that this `file` lists, one ID a line")
	cmd.Flags().StringVar(&options.lists.SBD, "sbd", "", "SBD's train.txt, as `file`")
	cmd.Flags().IntVar(&options.batch, "batch", 1, "images at a time, as `N`")
	cmd.Flags().IntVar(&options.buckets, "buckets", 0, "pad images to at most `N` sizes, which is faster and not quite the same; without it, none is padded")
	cmd.Flags().Float64Var(&options.tolerance, "tolerance", 0.1, "how far off counts as reproduced, in percent points, as `X`")
	cmd.Flags().BoolVar(&options.asJSON, "json", false, "print one JSON object")
	backendFlag(cmd)
	return cmd
}

func runReproduceVOC(cmd *cobra.Command, arg string, options reproduceOptions) error {
	stderr := cmd.ErrOrStderr()
	warn := warnTo(stderr)
	ctx, stop := untilSignal(cmd.Context(), stderr, "the batch is finished; once more to leave at once")
	defer stop()

	// What is asked for.
	switch {
	case options.lists.VOC == "":
		return usageError(errors.New("say where VOC is, with --data DIR"))
	case options.batch < 1 || options.buckets < 0 || !(options.tolerance >= 0):
		return usageError(errors.New("--batch is at least 1, --buckets and --tolerance are not negative"))
	}
	if _, err := os.Stat(options.lists.VOC); err != nil {
		return dataError(fmt.Errorf("--data: %w", err))
	}
	device, err := deviceConfig(cmd)
	if err != nil {
		return err
	}

	// The network, and what was published of its like.
	network, err := openArgument(ctx, arg, options.network, stderr, warn)
	if err != nil {
		return err
	}
	defer network.Close()
	paper, err := publishedOf(network.config.Model)
	if err != nil {
		return dataError(fmt.Errorf("%s: %w", network.source, err))
	}
	if c := network.config.Network(); c.Encoder != "vgg16" || c.Geometry != models.Paper {
		warn(fmt.Sprintf("the published networks are of vgg16 in the paper's geometry, and this one is of %s in %q", c.Encoder, c.Geometry))
	}

	// The images.
	ids, from, err := options.lists.List()
	if err != nil {
		return dataError(err)
	}
	source, err := datasets.OpenVOC(options.lists.VOC, ids, from)
	if err != nil {
		return specError(err)
	}
	buckets := options.buckets
	if buckets == 0 {
		buckets = source.Len()
	}
	pass, err := network.evaluation(ctx, source, "voc:"+filepath.Clean(options.lists.VOC), datasets.Val, options.batch, buckets, warn)
	if err != nil {
		return interrupted(ctx, specError(err), unscored)
	}

	// The score.
	scored, err := network.score(ctx, device, pass, warn, func() {
		fmt.Fprintf(stderr, "%s on the %d images of %s\n", network.source, pass.Samples(), from)
	})
	if err != nil {
		return err
	}

	// The comparison.
	r := newReproduction(paper, scored.Result, network.classes)
	r.Weights, r.List, r.Data = arg, from, options.lists.VOC
	r.Backend, r.Version, r.Seconds = scored.backend, version, scored.seconds
	r.judge(options.tolerance)
	if options.asJSON {
		err = writeIndented(cmd.OutOrStdout(), r)
	} else {
		err = r.print(cmd.OutOrStdout())
	}
	if err == nil && r.Reproduced != nil && !*r.Reproduced {
		return &quietExit{exitFailure}
	}
	return err
}
