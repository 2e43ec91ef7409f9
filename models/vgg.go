package models

import (
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// vggs holds, for configurations A, B, D and E of VGG (Simonyan and Zisserman,
// table 1), how many 3x3 convolutions each of the five stages has.
var vggs = map[string][5]int{
	"vgg11": {1, 1, 2, 2, 2},
	"vgg13": {2, 2, 2, 2, 2},
	"vgg16": {2, 2, 3, 3, 3},
	"vgg19": {2, 2, 4, 4, 4},
}

// stageWidths are the stages' channels as multiples of Config.Width: 64, 128,
// 256, 512 and 512 in the paper.
var stageWidths = [5]int{1, 2, 4, 8, 8}

// paperPad is what the authors put around the image, on all sides, so that even
// the smallest one leaves something for fc6 to look at.
const paperPad = 100

// encode runs the five stages on x [N,H,W,3] and returns what each of them pools:
// pools[s] has stride 2^s and Width*stageWidths[s-1] channels; pools[0] is x.
func (c Config) encode(scope *model.Scope, x *graph.Node, pass Pass) (pools [6]*graph.Node) {
	pools[0] = x
	for s, depth := range vggs[strings.TrimSuffix(c.Encoder, "_bn")] {
		pools[s+1] = pass.Recomputed.stage(pools[s], pass, func(x *graph.Node, pass Pass) *graph.Node {
			return c.stage(scope, x, s, depth, pass)
		})
	}
	return pools
}

// stage runs the s-th stage, from 0, of depth convolutions, and returns what it pools.
func (c Config) stage(scope *model.Scope, x *graph.Node, s, depth int, pass Pass) *graph.Node {
	channels := c.Width * stageWidths[s]
	enter := scope.In
	if pass.again {
		enter = scope.Shared
	}
	for i := range depth {
		pad := 1
		if c.Geometry == Paper && s == 0 && i == 0 {
			pad = paperPad
		}
		place := fmt.Sprintf("%d_%d", s+1, i+1)
		// The first of a stage reads what was pooled: that is small, and takes time to be pooled again.
		y, bias := pass.unbiased(enter("conv%s", place), x, channels, 3, pad, i == 0)
		x = pass.tap("conv"+place, biased(y, bias))
		if c.batchNorm() {
			x = pass.tap("bn"+place, pass.batchNorm(enter("bn%s", place), "bn"+place, y, bias))
		}
		x = pass.tap("relu"+place, pass.narrow(relu(x)))
	}
	return pass.tap(fmt.Sprintf("pool%d", s+1), maxPool(x, c.Geometry == Paper))
}

// encoderLayers lists the names of the convolutions, in order.
func (c Config) encoderLayers() []string {
	var names []string
	for s, depth := range vggs[strings.TrimSuffix(c.Encoder, "_bn")] {
		for i := range depth {
			names = append(names, fmt.Sprintf("conv%d_%d", s+1, i+1))
		}
	}
	return names
}
