// Package models builds the fully convolutional networks of Long, Shelhamer and
// Darrell ("Fully Convolutional Networks for Semantic Segmentation", CVPR 2015
// and PAMI 2017) as GoMLX graphs: FCN-32s, 16s and 8s on a VGG encoder, the loss
// and the scoring that belong to them.
//
// Layers have the paper's names (conv1_1 ... conv5_3, fc6, fc7, score_fr,
// score_pool4, upscore2, ...), which are also those of the authors' weights.
//
// Graph functions panic on wrong shapes, as GoMLX's do; whoever compiles a graph
// recovers. The package knows nothing of data sets, optimisers, files or devices.
package models

import (
	"fmt"
	"slices"
	"strings"
)

// Config says which network. The zero value is not valid; see [Config.Validate].
type Config struct {
	Arch     string // fcn32s | fcn16s | fcn8s
	Encoder  string // vgg11 | vgg13 | vgg16 | vgg19, each also with _bn
	Classes  int
	Width    int     // channels of the first stage; the paper's VGG has 64
	Head     int     // channels of fc6 and fc7; 4096 in the paper
	Upsample string  // learned | depthwise | bilinear
	Geometry string  // same | paper
	Dropout  float64 // probability of a zero after fc6 and after fc7; 0.5 in the paper
	AtOnce   bool    // scale pool4 by 0.01 and pool3 by 0.0001 (the authors' FCN-8s at once)
}

// The kinds of upsampling.
const (
	// Learned is a dense transposed convolution: every class hears every class.
	Learned = "learned"
	// Depthwise is one learned kernel a class.
	Depthwise = "depthwise"
	// Bilinear interpolates and learns nothing, as in the authors' released nets.
	Bilinear = "bilinear"
)

// The geometries.
const (
	// Same pads every convolution to keep its size, and the image right and below
	// to a multiple of 32.
	Same = "same"
	// Paper pads conv1_1 by 100, leaves fc6 unpadded, pools in ceil mode and crops
	// at the offsets of the authors' nets.
	Paper = "paper"
)

// upscale is one transposed convolution: stride s, kernel 2s.
type upscale struct {
	name   string
	stride int
	// skip names the layer that scores the pooled stage added to the result;
	// empty at the end.
	skip string
	// stage is the VGG stage whose pooled output the skip scores.
	stage int
	// scale is what the authors' at-once net multiplies that output by.
	scale float64
	// crop is the offset, in the paper's geometry, at which the finer tensor
	// (the skip, or at the end the score) is cut out.
	crop int
}

// archs is the table of three: what happens to the score of stride 32 until it
// has the size of the image.
var archs = map[string][]upscale{
	"fcn32s": {
		{name: "upscore", stride: 32, crop: 19},
	},
	"fcn16s": {
		{name: "upscore2", stride: 2, skip: "score_pool4", stage: 4, scale: 0.01, crop: 5},
		{name: "upscore16", stride: 16, crop: 27},
	},
	"fcn8s": {
		{name: "upscore2", stride: 2, skip: "score_pool4", stage: 4, scale: 0.01, crop: 5},
		{name: "upscore_pool4", stride: 2, skip: "score_pool3", stage: 3, scale: 0.0001, crop: 9},
		{name: "upscore8", stride: 8, crop: 31},
	},
}

// Archs and Encoders list the names that Config takes.
func Archs() []string { return []string{"fcn32s", "fcn16s", "fcn8s"} }

// Encoders lists the encoders without their _bn variants.
func Encoders() []string { return []string{"vgg11", "vgg13", "vgg16", "vgg19"} }

// maxUpsampleParams refuses a dense upsampling that would outweigh the network:
// 64x64 kernels between 150 classes are 92 million numbers.
const maxUpsampleParams = 32 << 20

// Validate says what is wrong with c and what to write instead.
func (c Config) Validate() error {
	if _, ok := archs[c.Arch]; !ok {
		return fmt.Errorf("model.arch %q: use one of %s", c.Arch, strings.Join(Archs(), ", "))
	}
	if _, ok := vggs[strings.TrimSuffix(c.Encoder, "_bn")]; !ok {
		return fmt.Errorf("model.encoder %q: use one of %s, with _bn for batch normalisation", c.Encoder, strings.Join(Encoders(), ", "))
	}
	if c.Classes < 2 || c.Classes > 255 {
		return fmt.Errorf("model.classes %d: a network has 2 to 255 classes (255 is the label of ignored pixels)", c.Classes)
	}
	if c.Width < 1 || c.Head < 1 {
		return fmt.Errorf("model.width %d and model.head %d: both are numbers of channels, at least 1", c.Width, c.Head)
	}
	if kinds := []string{Learned, Depthwise, Bilinear}; !slices.Contains(kinds, c.Upsample) {
		return fmt.Errorf("model.upsample %q: use one of %s", c.Upsample, strings.Join(kinds, ", "))
	}
	if c.Geometry != Same && c.Geometry != Paper {
		return fmt.Errorf("model.geometry %q: use %s or %s", c.Geometry, Same, Paper)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) { // so written, NaN is refused too
		return fmt.Errorf("model.dropout %g: a probability below 1", c.Dropout)
	}
	if c.Upsample == Learned {
		for _, up := range archs[c.Arch] {
			k := 2 * up.stride
			if n := k * k * c.Classes * c.Classes; n > maxUpsampleParams {
				return fmt.Errorf("model.upsample %q: %s alone would have %.0f million weights between %d classes; use model.upsample = %q (one kernel a class) or %q",
					Learned, up.name, float64(n)/1e6, c.Classes, Depthwise, Bilinear)
			}
		}
	}
	return nil
}

// batchNorm tells whether the encoder normalises after its convolutions.
func (c Config) batchNorm() bool { return strings.HasSuffix(c.Encoder, "_bn") }
