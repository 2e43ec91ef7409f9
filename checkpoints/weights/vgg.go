package weights

import (
	"fmt"
	"strings"
)

// vggs has the number of convolutions in each of the five stages.
var vggs = []struct {
	name   string
	stages [5]int
}{
	{"vgg11", [5]int{1, 1, 2, 2, 2}},
	{"vgg13", [5]int{2, 2, 2, 2, 2}},
	{"vgg16", [5]int{2, 2, 3, 3, 3}},
	{"vgg19", [5]int{2, 2, 4, 4, 4}},
}

// convolutions lists the layers of a VGG net in order: "conv1_1" ... "conv5_3".
func convolutions(stages [5]int) []string {
	var layers []string
	for stage, n := range stages {
		for i := range n {
			layers = append(layers, fmt.Sprintf("conv%d_%d", stage+1, i+1))
		}
	}
	return layers
}

// normOf is the batch norm behind a convolution.
func normOf(conv string) string { return "bn" + strings.TrimPrefix(conv, "conv") }

// encoderOf names the net that has exactly these layers, "" if none has.
func encoderOf(has func(layer string) bool, count int) string {
	for _, v := range vggs {
		layers := convolutions(v.stages)
		convs, norms := 0, 0
		for _, layer := range layers {
			if has(layer) {
				convs++
			}
			if has(normOf(layer)) {
				norms++
			}
		}
		switch {
		case convs == len(layers) && norms == 0 && count == convs:
			return v.name
		case convs == len(layers) && norms == convs && count == 2*convs:
			return v.name + "_bn"
		}
	}
	return ""
}

// rank orders layers as an image meets them, which is also how reports list them.
func rank(layer string) string {
	for i, prefix := range []string{"conv", "bn", "fc6", "fc7", "score_fr", "upscore2", "score_pool4", "upscore_pool4", "score_pool3", "upscore"} {
		if rest, ok := strings.CutPrefix(layer, prefix); ok {
			if prefix == "bn" {
				return "0" + rest + "b" // right behind its convolution
			}
			if prefix == "conv" {
				return "0" + rest + "a"
			}
			return fmt.Sprint(i) + rest
		}
	}
	return "z" + layer
}
