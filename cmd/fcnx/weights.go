package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
)

// The keys by which an exported file says what it is, in its __metadata__.
const (
	metaConfig  = "fcnx.config"         // TOML of [model] and [preprocess]
	metaClasses = "fcnx.classes"        // as in classes.txt
	metaResize  = "fcnx.augment.resize" // "HxW" that the network was shown, or ""
	metaVersion = "fcnx.version"
	metaStep    = "fcnx.step"
	metaParts   = "fcnx.parts"  // "encoder" or "encoder,head" of what is no whole network
	metaSource  = "fcnx.source" // for people: what it was imported from
)

func newWeightsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "weights",
		Short: "Exchange weights with other programs",
		// Not inherited from the root.
		SuggestionsMinimumDistance: 2,
		Args:                       noSuchCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWeightsImportCommand(), newWeightsExportCommand())
	return cmd
}

func newWeightsExportCommand() *cobra.Command {
	var flags networkFlags
	var onnx onnxFlags
	var out, format string
	var force bool
	export := &cobra.Command{
		Use:   "export RUN|WEIGHTS --out W.safetensors|W.onnx",
		Short: "Write the weights of a network in PyTorch's layout, or a model for ONNX Runtime",
		Long: `Write the weights of a run's best checkpoint, or of a whole network in a file, to a safetensors file, in PyTorch's
layout and under the paper's layer names. 'safetensors.torch.load_file' reads it; so do train --init, eval and predict,
to which it says what it is.

To a file that ends in .onnx it writes the whole network instead, which ONNX Runtime runs on images of any size.
` + networkHelp,
		Example: `  fcnx weights export runs/mine --out mine.safetensors
  fcnx weights export runs/mine --out mine.onnx --output mask`,
		Args: oneArgument("RUN or WEIGHTS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usageError(errors.New("no file to write to; add --out W.safetensors or --out W.onnx"))
			}
			toONNX, err := onnx.check(cmd, out, format)
			if err != nil {
				return usageError(err)
			}
			warn := warnTo(cmd.ErrOrStderr())
			network, err := openArgument(cmd.Context(), args[0], flags, cmd.ErrOrStderr(), warn)
			if err != nil {
				return err
			}
			defer network.Close()
			if _, err := os.Lstat(out); err == nil && !force {
				return usageError(fmt.Errorf("%s is there already; --force writes over it", out))
			}
			if err := network.knowsPixels(); err != nil {
				return usageError(err)
			}
			if toONNX {
				return runExportONNX(cmd.OutOrStdout(), network, out, onnx, warn)
			}
			written, err := network.export(out)
			if err != nil {
				return writeErrorOf(out, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d tensors of %s, %.1f MB\n  sha256 %s\n",
				out, len(network.config.Network().Variables()), network.source, float64(written.Bytes)/1e6, written.SHA256)
			return nil
		},
	}
	flags.register(export)
	onnx.register(export)
	export.Flags().StringVar(&out, "out", "", "the `file` to write")
	export.Flags().StringVar(&format, "format", "", "safetensors or onnx, as `name`; else the end of --out says it")
	export.Flags().BoolVar(&force, "force", false, "write over a file that is there")
	return export
}

// export writes the network with all that [network.readMetadata] wants to know.
func (n *network) export(path string) (checkpoints.Written, error) {
	meta, err := n.metadata()
	if err != nil {
		return checkpoints.Written{}, err
	}
	return weights.Export(path, variableInfos(n.config.Network()), meta, n.floats)
}

// knowsPixels is an error where nobody knows what the weights were trained with: whoever
// takes the exported file would take the default for it.
func (n *network) knowsPixels() error {
	if n.foreign == nil || n.foreign.pixels != "" {
		return nil
	}
	return fmt.Errorf("%s does not tell what it was trained with, which an exported file says; add --set model.init_preprocess=NAME, one of %s, or --set preprocess.*",
		n.source, strings.Join(weights.PreprocessNames(), ", "))
}

// otherFormat is an error for a file that safetensors would be written to under the name
// of another format.
func otherFormat(out string) error {
	switch end := strings.ToLower(filepath.Ext(out)); end {
	case ".pth", ".pt", ".bin", ".ckpt", ".npz", ".caffemodel", ".h5", ".onnx":
		return fmt.Errorf("%s: %s files are not written; name it W.safetensors, which safetensors.torch.load_file reads", out, end)
	}
	return nil
}

// metadata is what an exported file says of itself.
func (n *network) metadata() (map[string]string, error) {
	model := n.config.Model
	// A path of this machine, and what of it was taken.
	model.Init, model.InitParts, model.InitPreprocess, model.InitOrder = "", nil, "", ""
	config, err := toml.Marshal(struct {
		Model      train.ModelConfig      `toml:"model"`
		Preprocess train.PreprocessConfig `toml:"preprocess"`
	}{model, n.config.Preprocess})
	if err != nil {
		return nil, err
	}
	meta := map[string]string{
		metaConfig:  string(config),
		metaResize:  n.config.Augment.Resize,
		metaVersion: version,
		metaStep:    n.step,
	}
	if n.named { // names that fcnx made up would be held against those of the data
		classes, err := datasets.FormatClasses(n.classes)
		if err != nil {
			return nil, err
		}
		meta[metaClasses] = string(classes)
	}
	if n.origin != "" {
		meta[metaSource] = n.origin
	}
	return meta, nil
}

// floats reads one variable.
func (n *network) floats(path string) ([]float32, error) {
	if v, ok := n.values.(weightsValues); ok {
		return v.file.Read(path) // by way of bytes, fc6 would be in memory three times
	}
	_, shape, ok := n.values.Find(path)
	if !ok {
		return nil, fmt.Errorf("%s has no %s", n.source, path)
	}
	size := 1
	for _, d := range shape {
		size *= d
	}
	raw := make([]byte, 4*size)
	if err := n.values.Read(path, raw); err != nil {
		return nil, err
	}
	values := make([]float32, size)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return values, nil
}
