// Package onnx writes a network and its weights as an ONNX model, which ONNX Runtime
// and others run without fcnx. Batch, height and width are free in both geometries.
//
// What is written is inference: dropout is left out, batch norm goes by its running
// averages. docs/onnx.md describes inputs and outputs for whoever runs the model.
package onnx

import (
	"errors"
	"fmt"
	"io"

	"github.com/fcnx/fcnx/models"
)

// The versions that a model asks of its reader. Opset 17 has all that these networks
// need, and what reads it is older than any later set's readers: ONNX Runtime 1.12.
const (
	Opset     = 17
	irVersion = 8 // of the release of ONNX that brought opset 17
	// modelVersion counts changes of inputs, outputs and metadata.
	modelVersion = 1
)

// The names of a model's input and outputs.
const (
	Images = "images"
	Logits = "logits"
	Mask   = "mask"
)

// Options say what surrounds the network.
type Options struct {
	// Inside is the preprocessing that becomes a part of the model, whose input is
	// then uint8 RGB [N,H,W,3], as decoders give it. nil: the input is float32
	// [N,3,H,W], preprocessed by the caller.
	Inside *models.Preprocess
	// Logits asks for the output "logits", float32 [N,Classes,H,W].
	Logits bool
	// Mask asks for the output "mask", uint8 [N,H,W]: the best class of each pixel,
	// the first of equal ones.
	Mask bool

	Version  string            // of fcnx
	Doc      string            // for people
	Metadata map[string]string // for programs
}

// maxBytes is what a protobuf message may have; readers count in 32 bits.
const maxBytes = 1<<31 - 1

// Write writes the model to w. weights is asked for one variable of net after the
// other, in the order of [models.Config.Variables], and writes its float32 values in
// PyTorch's layout, little-endian and row-major. No more than that one is held in
// memory here: every length is known before the first byte. A model of 2 GiB and more
// is an error, before weights is asked. Equal input gives equal bytes.
func Write(w io.Writer, net models.Config, options Options, weights func(v models.Variable, w io.Writer) error) error {
	if err := net.Validate(); err != nil {
		return err
	}
	if !options.Logits && !options.Mask {
		return errors.New("an ONNX model without outputs: ask for logits or the mask")
	}
	g := newGraph(net, options, weights)
	size, stream := g.model(options)
	if size > maxBytes {
		return fmt.Errorf("the ONNX model would have %.2f GB, and one file holds less than 2 GiB, protobuf's limit; export to safetensors, or train with a smaller model.width or model.head",
			float64(size)/1e9)
	}
	return stream(w)
}
