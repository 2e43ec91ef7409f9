package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/onnx"
)

// metaPreprocess says, in an ONNX model, where the preprocessing of fcnx.config is
// done: inside or outside of it.
const metaPreprocess = "fcnx.preprocess"

// onnxFlags say what an ONNX model has beside the network.
type onnxFlags struct {
	preprocess string // inside | outside
	output     string // logits | mask | both
}

func (f *onnxFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.preprocess, "preprocess", "inside", "of ONNX: inside, and the input is uint8 RGB [N,H,W,3]; or outside, and it is\nfloat32 [N,3,H,W], normalised, in the weights' order of channels")
	cmd.Flags().StringVar(&f.output, "output", "logits", "of ONNX: logits, float32 [N,classes,H,W]; mask, uint8 [N,H,W]; or both")
}

// check tells whether ONNX is meant, by the format that was asked for or else by the
// end of the file's name.
func (f *onnxFlags) check(cmd *cobra.Command, out, format string) (bool, error) {
	toONNX := strings.HasSuffix(strings.ToLower(out), ".onnx")
	switch format {
	case "":
		if !toONNX {
			if err := otherFormat(out); err != nil {
				return false, err
			}
		}
	case "safetensors", "onnx":
		toONNX = format == "onnx"
	default:
		return false, fmt.Errorf("--format %q: safetensors or onnx", format)
	}
	switch {
	case !toONNX && (cmd.Flags().Changed("preprocess") || cmd.Flags().Changed("output")):
		return false, errors.New("--preprocess and --output are of ONNX; name the file W.onnx, or add --format onnx")
	case f.preprocess != "inside" && f.preprocess != "outside":
		return false, fmt.Errorf("--preprocess %q: inside or outside", f.preprocess)
	case f.output != "logits" && f.output != "mask" && f.output != "both":
		return false, fmt.Errorf("--output %q: logits, mask or both", f.output)
	}
	return toONNX, nil
}

// runExportONNX writes the model and says what it takes and gives.
func runExportONNX(stdout io.Writer, n *network, path string, flags onnxFlags, warn func(string)) error {
	if resize := n.config.Augment.Resize; resize != "" {
		warn(fmt.Sprintf("the network was shown images resized to %s (augment.resize), and the ONNX model does not resize: resize images before it, and its logits after it (docs/onnx.md)", resize))
	}
	written, err := n.exportONNX(path, flags)
	if err != nil {
		return writeErrorOf(path, err)
	}
	fmt.Fprintf(stdout, "%s: %s, ONNX opset %d, %.1f MB\n  %s\n  sha256 %s\n",
		path, n.source, onnx.Opset, float64(written.Bytes)/1e6, strings.Join(n.interfaceONNX(flags), "\n  "), written.SHA256)
	return nil
}

// exportONNX leaves what was at path before, unless all has been written.
func (n *network) exportONNX(path string, flags onnxFlags) (written checkpoints.Written, err error) {
	meta, err := n.metadata()
	if err != nil {
		return written, err
	}
	meta[metaPreprocess] = flags.preprocess
	net := n.config.Network()
	options := onnx.Options{
		Logits: flags.output != "mask", Mask: flags.output != "logits",
		Version: version, Metadata: meta,
		Doc: fmt.Sprintf("%s on %s for %d classes, trained with fcnx.\n%s", net.Arch, net.Encoder, net.Classes, strings.Join(n.interfaceONNX(flags), "\n")),
	}
	if flags.preprocess == "inside" {
		p := n.config.Preprocess.Models()
		options.Inside = &p
	}

	hash := sha256.New()
	err = checkpoints.ReplaceFile(path, func(f *os.File) error {
		err := onnx.Write(io.MultiWriter(f, hash), net, options, func(v models.Variable, w io.Writer) error {
			values, err := n.floats(v.Path())
			if err != nil {
				return dataError(err)
			}
			return weights.Write(w, checkpoints.Info{Name: v.Path(), DType: "F32", Shape: v.Shape}, values)
		})
		if err != nil {
			return err
		}
		written.Bytes, err = f.Seek(0, io.SeekCurrent)
		return err
	})
	if err != nil {
		return written, fmt.Errorf("export to %s: %w", path, err)
	}
	written.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return written, nil
}

// interfaceONNX describes the input and the outputs, a line each.
func (n *network) interfaceONNX(flags onnxFlags) []string {
	lines := []string{onnx.Images + ": uint8 RGB [N,H,W,3]"}
	if flags.preprocess == "outside" {
		p := n.config.Preprocess
		lines[0] = fmt.Sprintf("%s: float32 %s [N,3,H,W], ((x * %v) - %v) / %v of bytes x", onnx.Images, strings.ToUpper(p.Order), p.Scale, p.Mean, p.Std)
	}
	if flags.output != "mask" {
		lines = append(lines, fmt.Sprintf("%s: float32 [N,%d,H,W]", onnx.Logits, n.config.Model.Classes))
	}
	if flags.output != "logits" {
		lines = append(lines, onnx.Mask+": uint8 [N,H,W], the best class of each pixel")
	}
	return lines
}
