package models

import (
	"fmt"
	"strings"
)

// OpKind is what an operation does.
type OpKind string

// The operations of a network. Sizes are for an input of h by w pixels.
const (
	OpPad      OpKind = "pad"      // zeros right and below, to a multiple of Stride
	OpConv     OpKind = "conv"     // Kernel x Kernel, Pad on all sides, bias
	OpNorm     OpKind = "norm"     // batch norm from its running averages, Epsilon added to the variance
	OpReLU     OpKind = "relu"     //
	OpPool     OpKind = "pool"     // largest of 2x2, stride 2; Ceil: a last odd row or column is a window too
	OpDropout  OpKind = "dropout"  // nothing, but in training
	OpScale    OpKind = "scale"    // times Factor
	OpUpsample OpKind = "upsample" // transposed convolution, Kernel = 2 Stride, Pad cut off on all sides
	OpCrop     OpKind = "crop"     // to the size of Like, from (Offset, Offset)
	OpAdd      OpKind = "add"      //
)

// Op is one operation of a network on a tensor [N,H,W,C].
type Op struct {
	Name    string // unique; of an operation with variables, its layer
	Kind    OpKind
	Inputs  []string // names of operations; "images" is the network's input
	In, Out int      // channels

	Kernel, Stride, Pad int
	Ceil                bool
	Factor, Epsilon     float64
	Offset              int
	Like                string // an operation, or "images"
}

// Images is the name of the network's input among the operations.
const Images = "images"

// Ops lists the operations of [Config.Logits] in order, for whoever has to describe
// the network or write it down for another program. The last one is the logits.
func (c Config) Ops() []Op {
	var ops []Op
	x, channels := Images, 3
	push := func(op Op) {
		if op.Inputs == nil {
			op.Inputs = []string{x}
		}
		op.In = channels
		if op.Out == 0 {
			op.Out = channels
		}
		ops = append(ops, op)
		x, channels = op.Name, op.Out
	}
	relu := func(layer string) { push(Op{Name: "relu" + strings.TrimPrefix(layer, "conv"), Kind: OpReLU}) }

	if c.Geometry == Same {
		push(Op{Name: "pad", Kind: OpPad, Stride: 32})
	}
	var pools [6]string
	layers := c.encoderLayers()
	for s, depth := range vggs[strings.TrimSuffix(c.Encoder, "_bn")] {
		for range depth {
			conv := Op{Name: layers[0], Kind: OpConv, Out: c.Width * stageWidths[s], Kernel: 3, Stride: 1, Pad: 1}
			if c.Geometry == Paper && x == Images {
				conv.Pad = paperPad
			}
			push(conv)
			if c.batchNorm() {
				push(Op{Name: "bn" + strings.TrimPrefix(conv.Name, "conv"), Kind: OpNorm, Epsilon: normEpsilon})
			}
			relu(conv.Name)
			layers = layers[1:]
		}
		pools[s+1] = fmt.Sprintf("pool%d", s+1)
		push(Op{Name: pools[s+1], Kind: OpPool, Kernel: 2, Stride: 2, Ceil: c.Geometry == Paper})
	}

	fc6Pad := 3
	if c.Geometry == Paper {
		fc6Pad = 0
	}
	push(Op{Name: "fc6", Kind: OpConv, Out: c.Head, Kernel: 7, Stride: 1, Pad: fc6Pad})
	push(Op{Name: "relu6", Kind: OpReLU})
	push(Op{Name: "drop6", Kind: OpDropout, Factor: c.Dropout})
	push(Op{Name: "fc7", Kind: OpConv, Out: c.Head, Kernel: 1, Stride: 1})
	push(Op{Name: "relu7", Kind: OpReLU})
	push(Op{Name: "drop7", Kind: OpDropout, Factor: c.Dropout})
	push(Op{Name: "score_fr", Kind: OpConv, Out: c.Classes, Kernel: 1, Stride: 1})

	for _, up := range archs[c.Arch] {
		trim := 0
		if c.Geometry == Same {
			trim = up.stride / 2
		}
		push(Op{Name: up.name, Kind: OpUpsample, Kernel: 2 * up.stride, Stride: up.stride, Pad: trim})
		if up.skip == "" {
			push(Op{Name: "score", Kind: OpCrop, Offset: c.cropOffset(up), Like: Images})
			break
		}
		score := x
		x, channels = pools[up.stage], c.Width*stageWidths[up.stage-1]
		if c.AtOnce {
			push(Op{Name: fmt.Sprintf("scale_pool%d", up.stage), Kind: OpScale, Factor: up.scale})
		}
		push(Op{Name: up.skip, Kind: OpConv, Out: c.Classes, Kernel: 1, Stride: 1})
		if c.Geometry == Paper {
			push(Op{Name: up.skip + "c", Kind: OpCrop, Offset: up.crop, Like: score})
		}
		push(Op{Name: fmt.Sprintf("fuse_pool%d", up.stage), Kind: OpAdd, Inputs: []string{score, x}})
	}
	return ops
}
