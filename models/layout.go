package models

import "strings"

// Role says what a variable is for: it decides how it starts, how it learns and
// how it is laid out in a file.
type Role int

// The roles.
const (
	ConvWeight    Role = iota // [kh,kw,in,out]
	Bias                      // [out]; also batch norm's bias
	NormWeight                // [C]
	NormMean                  // [C], running; not learned
	NormVariance              // [C], running; not learned
	UpsampleDense             // [2s,2s,in,out]
	UpsampleDepth             // [2s,2s,C]
)

// The parts of a network, for rates and freezing.
const (
	PartEncoder  = "encoder"  // conv1_1 to conv5_4 and their batch norms
	PartHead     = "head"     // fc6, fc7
	PartScore    = "score"    // score_fr, score_pool4, score_pool3
	PartUpsample = "upsample" // upscore...
)

// Variable describes one of a network's variables. It is called Layer/Name, as
// "conv1_1/weight" or "bn1_1/running_mean", in stores, checkpoints and messages.
type Variable struct {
	Layer string
	Name  string
	Shape []int
	Role  Role
	Part  string
}

// Path is the variable's name in a GoMLX store, without the leading slash.
func (v Variable) Path() string { return v.Layer + "/" + v.Name }

// stage is the stage of the encoder, from 1, that the variable is part of, or 0.
func (v Variable) stage() int {
	if v.Part != PartEncoder {
		return 0
	}
	return int(v.Layer[strings.IndexAny(v.Layer, "12345")] - '0')
}

// Size is the number of elements.
func (v Variable) Size() int {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	return n
}

// Learns tells whether gradients change the variable, unless it is frozen.
func (v Variable) Learns() bool { return v.Role != NormMean && v.Role != NormVariance }

// Variables lists all variables of the network in the order in which an image
// meets them.
func (c Config) Variables() []Variable {
	var vars []Variable
	conv := func(part, layer string, k, in, out int) {
		vars = append(vars,
			Variable{layer, "weight", []int{k, k, in, out}, ConvWeight, part},
			Variable{layer, "bias", []int{out}, Bias, part})
	}

	in := 3
	for _, layer := range c.encoderLayers() {
		out := c.Width * stageWidths[layer[len("conv")]-'1']
		conv(PartEncoder, layer, 3, in, out)
		if c.batchNorm() {
			norm := "bn" + strings.TrimPrefix(layer, "conv")
			for _, v := range []Variable{{Name: "weight", Role: NormWeight}, {Name: "bias", Role: Bias},
				{Name: "running_mean", Role: NormMean}, {Name: "running_var", Role: NormVariance}} {
				vars = append(vars, Variable{norm, v.Name, []int{out}, v.Role, PartEncoder})
			}
		}
		in = out
	}
	conv(PartHead, "fc6", 7, in, c.Head)
	conv(PartHead, "fc7", 1, c.Head, c.Head)
	conv(PartScore, "score_fr", 1, c.Head, c.Classes)
	for _, up := range archs[c.Arch] {
		k := 2 * up.stride
		switch c.Upsample {
		case Learned:
			vars = append(vars, Variable{up.name, "weight", []int{k, k, c.Classes, c.Classes}, UpsampleDense, PartUpsample})
		case Depthwise:
			vars = append(vars, Variable{up.name, "weight", []int{k, k, c.Classes}, UpsampleDepth, PartUpsample})
		}
		if up.skip != "" {
			conv(PartScore, up.skip, 1, c.Width*stageWidths[up.stage-1], c.Classes)
		}
	}
	return vars
}

// Parameters counts the elements of all variables that learn.
func (c Config) Parameters() int64 {
	var n int64
	for _, v := range c.Variables() {
		if v.Learns() {
			n += int64(v.Size())
		}
	}
	return n
}
