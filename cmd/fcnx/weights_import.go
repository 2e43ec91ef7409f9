package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// importFlags say of a foreign file what it does not say itself.
type importFlags struct {
	out, order, preprocess, geometry string
	atOnce, force                    bool
}

func newWeightsImportCommand() *cobra.Command {
	var flags importFlags
	cmd := &cobra.Command{
		Use:   "import FILE [--out W.safetensors]",
		Short: "Take over weights of other programs",
		Long: `Say tensor by tensor what a file of weights of another program becomes, and write it as a file that says itself what it
is: train --init, and for whole networks eval and predict, take it. Without --out nothing is written.

FILE is torchvision's VGG, pytorch-fcn's or Chainer's FCN, or a caffemodel, as .pth, .safetensors, .npz or .caffemodel,
or hf:owner/repo@revision/file. docs/weights.md says what is taken, and what files were trained with.`,
		Example: `  fcnx weights import vgg16-397923af.pth
  fcnx weights import vgg16_from_caffe.pth --preprocess caffe --order rgb --out vgg16.safetensors`,
		Args: oneArgument("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return runWeightsImport(cmd, args[0], flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.out, "out", "", "the safetensors `file` to write")
	f.StringVar(&flags.order, "order", "", "turn the input channels of conv1_1 to rgb or bgr, as `name`")
	f.StringVar(&flags.preprocess, "preprocess", "", "what it was trained with: torchvision, caffe, caffe-rgb or features, as `name`")
	f.StringVar(&flags.geometry, "geometry", "", "of a whole network that does not tell: same or paper, as `name`")
	f.BoolVar(&flags.atOnce, "at-once", false, "it is the authors' at-once net, whose names do not tell")
	f.BoolVar(&flags.force, "force", false, "write over a file that is there")
	return cmd
}

func runWeightsImport(cmd *cobra.Command, arg string, flags importFlags) error {
	stdout := cmd.OutOrStdout()
	warn := warnTo(cmd.ErrOrStderr())
	if flags.order != "" && flags.order != "rgb" && flags.order != "bgr" {
		return usageError(fmt.Errorf("--order %q: rgb or bgr", flags.order))
	}
	if flags.geometry != "" && flags.geometry != models.Same && flags.geometry != models.Paper {
		return usageError(fmt.Errorf("--geometry %q: same or paper", flags.geometry))
	}
	if flags.preprocess != "" {
		if _, err := weights.NamedPreprocess(flags.preprocess); err != nil {
			return usageError(fmt.Errorf("--preprocess: %w", err))
		}
	}
	if err := otherFormat(flags.out); err != nil {
		return usageError(fmt.Errorf("--out: %w", err))
	}
	if _, err := os.Lstat(flags.out); err == nil && flags.out != "" && !flags.force {
		return usageError(fmt.Errorf("%s is there already; --force writes over it", flags.out))
	}
	path, note, err := fetched(cmd.Context(), arg, warn)
	if err != nil {
		return interrupted(cmd.Context(), err, "nothing was written")
	}
	if note != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), note)
	}
	tensors, err := openTensors(cmd.Context(), path)
	if err != nil {
		return dataError(err)
	}
	if weights.Metadata(tensors)[metaConfig] != "" {
		return errors.Join(usageError(fmt.Errorf("%s says itself what it is; train --init takes it as it is", arg)), tensors.Close())
	}
	source, err := recognised(tensors, flags.preprocess, flags.order)
	if err != nil {
		return dataError(errors.Join(err, tensors.Close()))
	}
	defer source.Close()
	if k := source.Kind(); flags.atOnce && (k.Classes == 0 || k.Arch == "fcn32s") {
		return usageError(fmt.Errorf("%s has no scores of pool4 and pool3 to scale; leave --at-once out", arg))
	}
	config := foreignConfig(source, train.Default())
	config.Model.AtOnce = config.Model.AtOnce || flags.atOnce
	if err := source.Fits(infosOf(partVariables(config.Network(), partsOf(source)))); err != nil {
		return dataError(err)
	}

	fmt.Fprintf(stdout, "%s: %s\n", arg, sourceSummary(source))
	printRows(stdout, source.Rows(), nil)
	for _, line := range freshLines(source) {
		fmt.Fprintln(stdout, line)
	}
	if pixels := source.Pixels(); pixels.Why == "" {
		fmt.Fprintln(stdout, "preprocessing: the file does not say; --preprocess does")
	} else {
		fmt.Fprintf(stdout, "preprocessing: %s (%s; --preprocess says another)\n%s", orNumbers(pixels.Name), pixels.Why, pixelLines(train.PreprocessConfig(pixels.Preprocess)))
	}
	if doubt := source.Doubt(); doubt != "" {
		warn(doubt)
	}
	if flags.out == "" {
		return dataError(source.Check())
	}
	written, err := importWeights(source, config, flags, filepath.Base(arg))
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %d tensors, %.1f MB\n  sha256 %s\n", flags.out, len(source.Infos()), float64(written.Bytes)/1e6, written.SHA256)
	return nil
}

// freshLines say what a network has to begin anew that starts from the source.
func freshLines(source *weights.Source) []string {
	switch k := source.Kind(); {
	case k.Classes > 0:
		return nil
	case k.Head > 0:
		return []string{"an encoder, fc6 and fc7: score layers and upsampling start fresh"}
	}
	return []string{"an encoder: fc6, fc7, score layers and upsampling start fresh"}
}

// importWeights writes the file with all that [network.readMetadata] wants to know.
func importWeights(source *weights.Source, config train.Config, flags importFlags, name string) (checkpoints.Written, error) {
	var none checkpoints.Written
	if source.Pixels().Why == "" {
		return none, usageError(fmt.Errorf("%s does not tell what it was trained with; add --preprocess, one of %s", name, strings.Join(weights.PreprocessNames(), ", ")))
	}
	parts := partsOf(source)
	model := map[string]any{"encoder": config.Model.Encoder, "width": config.Model.Width}
	if source.Kind().Head > 0 {
		model["head"] = config.Model.Head
	}
	if parts == nil {
		geometry := source.Geometry()
		if flags.geometry != "" {
			geometry = flags.geometry
		}
		if geometry == "" {
			return none, usageError(errors.New(name + " does not tell its geometry; add --geometry"))
		}
		model["arch"], model["classes"], model["upsample"] = config.Model.Arch, config.Model.Classes, config.Model.Upsample
		model["geometry"], model["at_once"] = geometry, config.Model.AtOnce
		config.Model.Geometry = geometry
		if err := config.Network().Validate(); err != nil {
			return none, usageError(fmt.Errorf("%s: %w", name, err))
		}
	} else if flags.geometry != "" {
		return none, usageError(fmt.Errorf("%s is no whole network; leave --geometry out", name))
	}
	text, err := toml.Marshal(map[string]any{"model": model, "preprocess": config.Preprocess})
	if err != nil {
		return none, err
	}
	meta := map[string]string{
		metaConfig: string(text), metaVersion: version,
		metaSource: fmt.Sprintf("%s, %s", name, sourceSummary(source)),
	}
	if parts != nil {
		meta[metaParts] = strings.Join(parts, ",")
	}
	written, err := source.Export(flags.out, meta)
	err = writeErrorOf(flags.out, err)
	var write *os.PathError
	if err != nil && !errors.As(err, &write) {
		return written, dataError(err) // what was read, and not where it was to go
	}
	return written, err
}
