package onnx

import (
	"fmt"
	"io"

	"github.com/fcnx/fcnx/models"
)

// network lays out net on images, a tensor float32 [N,3,H,W], and returns the name of
// the logits. An operation of net becomes the node of its name; sizes that hang on
// the image's are computed by nodes beside it.
func (g *graph) network(net models.Config, images string) string {
	// at knows by which tensor an operation is represented: dropout by its input.
	at := map[string]string{models.Images: images}
	last := ""
	for _, op := range net.Ops() {
		inputs := make([]string, len(op.Inputs))
		for i, input := range op.Inputs {
			inputs[i] = at[input]
		}
		last = g.operation(net, op, inputs, at[op.Like])
		at[op.Name] = last
	}
	return last
}

func (g *graph) operation(net models.Config, op models.Op, inputs []string, like string) string {
	x := inputs[0]
	switch op.Kind {
	case models.OpPad:
		return g.add("Pad", op.Name, []string{x, g.padding(op, x), g.floats("zero", nil, 0)})
	case models.OpConv:
		return g.add("Conv", op.Name, []string{x, op.Name + ".weight", op.Name + ".bias"},
			intsAttribute("kernel_shape", op.Kernel, op.Kernel), pads(op.Pad))
	case models.OpNorm:
		return g.add("BatchNormalization", op.Name,
			[]string{x, op.Name + ".weight", op.Name + ".bias", op.Name + ".running_mean", op.Name + ".running_var"},
			floatAttribute("epsilon", op.Epsilon))
	case models.OpReLU:
		return g.add("Relu", op.Name, inputs)
	case models.OpPool:
		ceil := 0
		if op.Ceil {
			ceil = 1
		}
		return g.add("MaxPool", op.Name, inputs, intsAttribute("kernel_shape", op.Kernel, op.Kernel),
			intsAttribute("strides", op.Stride, op.Stride), intAttribute("ceil_mode", ceil))
	case models.OpDropout:
		return x
	case models.OpScale:
		return g.add("Mul", op.Name, []string{x, g.floats(op.Name+".factor", nil, float32(op.Factor))})
	case models.OpUpsample:
		return g.upsample(net, op, x)
	case models.OpCrop:
		offset := int64(op.Offset)
		end := g.size(like)
		if offset > 0 {
			end = g.add("Add", op.Name+"_end", []string{end, g.ints(offset, offset)})
		}
		return g.add("Slice", op.Name, []string{x, g.ints(offset, offset), end, g.ints(2, 3)})
	case models.OpAdd:
		return g.add("Add", op.Name, inputs)
	}
	panic(fmt.Errorf("onnx: no node for the operation %s, a %s", op.Name, op.Kind))
}

// upsample is one kernel a class, unless classes hear each other.
func (g *graph) upsample(net models.Config, op models.Op, x string) string {
	groups := net.Classes
	switch k := op.Kernel; net.Upsample {
	case models.Learned:
		groups = 1
	case models.Bilinear:
		// It is no variable of the network, but what a depthwise one starts from.
		kernel := make([]float32, k*k)
		models.Variable{Shape: []int{k, k, 1}, Role: models.UpsampleDepth}.Initial(0, kernel)
		g.constant(initializer{name: op.Name + ".weight", dtype: float32s, dims: []int{net.Classes, 1, k, k}, write: func(w io.Writer) error {
			for range net.Classes {
				if err := raw(kernel)(w); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	return g.add("ConvTranspose", op.Name, []string{x, op.Name + ".weight"},
		intsAttribute("kernel_shape", op.Kernel, op.Kernel), intsAttribute("strides", op.Stride, op.Stride),
		pads(op.Pad), intAttribute("group", groups))
}

// padding is what Pad wants for x: how much goes before and after each axis. Only
// height and width grow, at their ends, to a multiple of the stride.
func (g *graph) padding(op models.Op, x string) string {
	stride, size := int64(op.Stride), g.size(x)
	n := g.add("Add", op.Name+"_up", []string{size, g.ints(stride - 1)})
	n = g.add("Div", op.Name+"_steps", []string{n, g.ints(stride)})
	n = g.add("Mul", op.Name+"_to", []string{n, g.ints(stride)})
	n = g.add("Sub", op.Name+"_more", []string{n, size})
	return g.add("Concat", op.Name+"_pads", []string{g.ints(0, 0, 0, 0, 0, 0), n}, intAttribute("axis", 0))
}

// size is the height and width of x [N,C,H,W], computed once.
func (g *graph) size(x string) string {
	name := x + "_size"
	if !g.known[name] {
		g.known[name] = true
		shape := g.add("Shape", x+"_shape", []string{x})
		g.add("Slice", name, []string{shape, g.ints(2), g.ints(4), g.ints(0)})
	}
	return name
}

// pads are n rows and columns on all sides.
func pads(n int) attribute { return intsAttribute("pads", n, n, n, n) }
