package models

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Pass says what a graph is built for.
type Pass struct {
	// Training turns on dropout and the statistics of the batch.
	Training bool
	// RNG is a GoMLX random state; only dropout in training reads it. Dropout is a
	// pure function of it, so a run that hands in a function of (seed, step)
	// resumes exactly.
	RNG *graph.Node
	// Frozen tells which layers do not learn; a frozen batch norm keeps to its
	// running averages in training too. nil: none.
	Frozen func(layer string) bool
	// DType is what convolutions multiply in, and what is kept of their layers' outputs
	// (precision.go); weights and logits are those of the images whatever it is. Zero: as the
	// images, which are float32.
	DType dtypes.DType
	// Winograd has 3x3 convolutions of many channels, and their gradients, done
	// by Winograd's algorithm: that is faster on a CPU and equal but for the last digits. On a
	// GPU cuDNN sees to it. Not in bfloat16, nor where activations are computed again.
	Winograd bool
	// Recomputed keeps only what the stages of the encoder pool, for a graph whose gradient it
	// gives; nil: everything is kept.
	Recomputed *Recomputed
	again      bool // what was computed once already
	// Tap is shown the output [N,H,W,C] of every operation of [Config.Ops], in that
	// order, under its name, and before them the input as [Images]. nil: nobody looks.
	Tap func(op string, output *graph.Node)
}

// tap shows what the operation called name gives, and hands it on.
func (p Pass) tap(name string, output *graph.Node) *graph.Node {
	if p.Tap != nil {
		p.Tap(name, output)
	}
	return output
}

// Logits is the network: it scores every pixel of images [N,H,W,3] (normalised;
// padding zero) for every class, and returns [N,H,W,Classes]. H and W are any
// size in both geometries.
//
// FCN-32s, 16s and 8s are the same function: they differ in the steps by which
// the score of stride 32 is brought to the size of the image (see archs).
func (c Config) Logits(scope *model.Scope, images *graph.Node, pass Pass) *graph.Node {
	n, h, w := images.Shape().Dim(0), images.Shape().Dim(1), images.Shape().Dim(2)
	images.AssertDims(n, h, w, 3)
	x := pass.tap(Images, images)
	if c.Geometry == Same {
		x = pass.tap("pad", padRightBelow(x, roundUp(h, 32)-h, roundUp(w, 32)-w))
	}

	pools := c.encode(scope, x, pass)

	// The classifier of VGG, made convolutional (section 3.1 and figure 2): fc6 was
	// 7x7x512 to 4096, fc7 4096 to 4096.
	fc6Pad := 3
	if c.Geometry == Paper {
		fc6Pad = 0
	}
	x = pass.tap("fc6", pass.convolve(scope.In("fc6"), pools[5], c.Head, 7, fc6Pad))
	x, pass.RNG = dropout(pass.tap("relu6", relu(x)), c.Dropout, pass)
	pass.tap("drop6", x)
	x = pass.tap("fc7", pass.convolve(scope.In("fc7"), x, c.Head, 1, 0))
	x, _ = dropout(pass.tap("relu7", relu(x)), c.Dropout, pass)
	pass.tap("drop7", x)
	score := pass.tap("score_fr", pass.convolve(scope.In("score_fr"), x, c.Classes, 1, 0))

	// Section 4.2: upsample, add the score of a finer stage, repeat.
	for _, up := range archs[c.Arch] {
		score = pass.tap(up.name, c.upsample(scope, up, score))
		at := c.cropOffset(up)
		if up.skip == "" {
			return pass.tap("score", crop(score, at, at, h, w))
		}
		pool := pools[up.stage]
		if c.AtOnce {
			pool = pass.tap(fmt.Sprintf("scale_pool%d", up.stage), graph.MulScalar(wide(pool), up.scale))
		}
		skip := pass.tap(up.skip, pass.convolve(scope.In("%s", up.skip), pool, c.Classes, 1, 0))
		if c.Geometry == Paper {
			skip = pass.tap(up.skip+"c", crop(skip, at, at, score.Shape().Dim(1), score.Shape().Dim(2)))
		}
		score = pass.tap(fmt.Sprintf("fuse_pool%d", up.stage), graph.Add(score, skip))
	}
	panic(fmt.Errorf("models: the last upscale of %s has a skip", c.Arch))
}

func (c Config) cropOffset(up upscale) int {
	if c.Geometry == Paper {
		return up.crop
	}
	return 0
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }
