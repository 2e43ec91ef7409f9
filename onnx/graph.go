package onnx

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/fcnx/fcnx/models"
)

// graph is a GraphProto in the making.
type graph struct {
	name         string
	nodes        []message
	initializers []initializer
	input        message
	outputs      []message

	known map[string]bool // constants that are there already
}

// add appends a node and returns the name of its output.
func (g *graph) add(kind, output string, inputs []string, attributes ...attribute) string {
	g.nodes = append(g.nodes, node(kind, output, inputs, attributes))
	return output
}

// ints is a constant list of integers, which is named after them and there once.
func (g *graph) ints(values ...int64) string {
	name := "ints_" + strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", "_"), "[]")
	return g.constant(initializer{name: name, dtype: int64s, dims: []int{len(values)}, write: raw(values)})
}

// floats is a constant of the given shape; [] is a scalar.
func (g *graph) floats(name string, dims []int, values ...float32) string {
	return g.constant(initializer{name: name, dtype: float32s, dims: dims, write: raw(values)})
}

func (g *graph) constant(c initializer) string {
	if !g.known[c.name] {
		g.known[c.name] = true
		g.initializers = append(g.initializers, c)
	}
	return c.name
}

func raw(values any) func(w io.Writer) error {
	return func(w io.Writer) error { return binary.Write(w, binary.LittleEndian, values) }
}

// newGraph lays out the preprocessing, the network and the outputs.
func newGraph(net models.Config, o Options, weights func(v models.Variable, w io.Writer) error) *graph {
	g := &graph{name: net.Arch, known: map[string]bool{}}
	for _, v := range net.Variables() {
		g.constant(initializer{
			name: v.Layer + "." + v.Name, dtype: float32s, dims: torchShape(v),
			write: func(w io.Writer) error { return weights(v, w) },
		})
	}

	images := Images
	g.input = value(Images, float32s, "batch", 3, "height", "width")
	if o.Inside != nil {
		g.input = value(Images, uint8s, "batch", "height", "width", 3)
		images = g.preprocess(Images, *o.Inside)
	}
	logits := g.network(net, images)
	if o.Logits {
		// The name is the model's, and the layer's is "score".
		logits = g.add("Identity", Logits, []string{logits})
		g.outputs = append(g.outputs, value(Logits, float32s, "batch", net.Classes, "height", "width"))
	}
	if o.Mask {
		best := g.add("ArgMax", "best", []string{logits}, intAttribute("axis", 1), intAttribute("keepdims", 0))
		g.add("Cast", Mask, []string{best}, intAttribute("to", int(uint8s)))
		g.outputs = append(g.outputs, value(Mask, uint8s, "batch", "height", "width"))
	}
	return g
}

// preprocess does what [models.Normalize] does, with the same numbers in the same
// order, so that masks come out equal: uint8 RGB [N,H,W,3] to float32 [N,3,H,W].
//
// The cast comes first because some readers have no other operation on bytes.
func (g *graph) preprocess(images string, p models.Preprocess) string {
	x := g.add("Cast", "images_float", []string{images}, intAttribute("to", int(float32s)))
	x = g.add("Transpose", "images_nchw", []string{x}, intsAttribute("perm", 0, 3, 1, 2))
	if p.BGR {
		x = g.add("Gather", "images_bgr", []string{x, g.ints(2, 1, 0)}, intAttribute("axis", 1))
	}
	var scale, shift [3]float32
	for c := range 3 {
		scale[c] = float32(p.Scale / p.Std[c])
		shift[c] = float32(-p.Mean[c] / p.Std[c])
	}
	shape := []int{1, 3, 1, 1}
	x = g.add("Mul", "images_scaled", []string{x, g.floats("preprocess.scale", shape, scale[:]...)})
	return g.add("Add", "images_normalised", []string{x, g.floats("preprocess.shift", shape, shift[:]...)})
}

// torchShape is the shape of a variable in PyTorch's layout, which ONNX has too
// (docs/weights.md).
func torchShape(v models.Variable) []int {
	s := v.Shape
	switch v.Role {
	case models.ConvWeight:
		return []int{s[3], s[2], s[0], s[1]}
	case models.UpsampleDense:
		return []int{s[2], s[3], s[0], s[1]}
	case models.UpsampleDepth:
		return []int{s[2], 1, s[0], s[1]}
	default:
		return s
	}
}
