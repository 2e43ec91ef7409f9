package models

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

func trace(t *testing.T, c Config, h, w int) Trace {
	t.Helper()
	trace, err := c.Trace(h, w)
	require.NoError(t, err)
	return trace
}

func find(t *testing.T, trace Trace, name string) TracedOp {
	t.Helper()
	op, ok := trace.Find(name)
	require.True(t, ok, name)
	return op
}

// The outputs of all operations, as traced, are found one after the other among the
// nodes of the real graph, and the last is its last.
func TestTracedSizesAreThoseOfTheGraph(t *testing.T) {
	for _, geometry := range []string{Same, Paper} {
		for _, arch := range Archs() {
			for _, encoder := range []string{"vgg11", "vgg16_bn"} {
				t.Run(fmt.Sprint(geometry, arch, encoder), func(t *testing.T) {
					c := Config{Arch: arch, Encoder: encoder, Classes: 3, Width: 2, Head: 5, Upsample: Learned, Geometry: geometry, AtOnce: arch != "fcn32s"}
					for _, size := range [][2]int{{1, 1}, {2, 95}, {31, 33}, {64, 32}, {75, 50}, {224, 161}} {
						h, w := size[0], size[1]
						nodes := graphDims(t, c, h, w)
						at := 0
						for _, op := range trace(t, c, h, w).Ops {
							want := []int{2, op.Height, op.Width, op.Out}
							next := slices.IndexFunc(nodes[at:], func(dims []int) bool { return slices.Equal(dims, want) })
							require.GreaterOrEqual(t, next, 0, "%dx%d: no %s %v behind node %d", h, w, op.Name, want, at)
							at += next
						}
						require.Equal(t, []int{2, h, w, 3}, nodes[len(nodes)-1])
					}
				})
			}
		}
	}
}

// graphDims lists the dimensions of all nodes of the network's graph, in order.
func graphDims(t *testing.T, c Config, h, w int) [][]int {
	t.Helper()
	g := graph.NewGraph(Backend(t, device.Go), "trace")
	defer g.Finalize()
	images := graph.Parameter(g, "images", shapes.Make(dtypes.Float32, 2, h, w, 3))
	c.Logits(model.NewStore().RootScope(), images, Pass{})
	var dims [][]int
	for _, node := range g.Nodes() {
		dims = append(dims, node.Shape().Dimensions)
	}
	return dims
}

// A tap is shown the output of every operation, in order and at its traced size, and the
// images before them.
func TestTapsAreTheOperations(t *testing.T) {
	backend := Backend(t, device.Go)
	for _, geometry := range []string{Same, Paper} {
		for _, arch := range Archs() {
			for _, encoder := range []string{"vgg11", "vgg16_bn"} {
				for _, training := range []bool{false, true} {
					c := Config{Arch: arch, Encoder: encoder, Classes: 3, Width: 2, Head: 5, Upsample: Learned, Geometry: geometry, Dropout: 0.5, AtOnce: arch != "fcn32s"}
					g := graph.NewGraph(backend, "taps")
					images := graph.Parameter(g, "images", shapes.Make(dtypes.Float32, 2, 75, 50, 3))
					pass := Pass{Training: training, RNG: graph.Parameter(g, "rng", graph.RNGStateShape)}
					var got []string
					var last *graph.Node
					pass.Tap = func(op string, output *graph.Node) {
						got, last = append(got, fmt.Sprint(op, output.Shape().Dimensions)), output
					}
					logits := c.Logits(model.NewStore().RootScope(), images, pass)
					want := []string{"images[2 75 50 3]"}
					for _, op := range trace(t, c, 75, 50).Ops {
						want = append(want, fmt.Sprint(op.Name, []int{2, op.Height, op.Width, op.Out}))
					}
					require.Equal(t, want, got)
					require.Same(t, logits, last)
					g.Finalize()
				}
			}
		}
	}
}

func TestTraceCounts(t *testing.T) {
	for _, upsample := range []string{Learned, Depthwise, Bilinear} {
		for _, arch := range Archs() {
			c := validNet()
			c.Arch, c.Encoder, c.Upsample = arch, "vgg13_bn", upsample
			require.Equal(t, c.Parameters(), trace(t, c, 50, 60).Parameters())
		}
	}
	require.EqualValues(t, 134_346_581, trace(t, paperNet("fcn32s"), 1, 1).Parameters())
	require.EqualValues(t, 134_362_751, trace(t, paperNet("fcn8s"), 1, 1).Parameters())

	// VGG16's convolutions at 224x224: 15.3 G, as published with its classifier's 0.1.
	c := validNet()
	whole := trace(t, c, 224, 224)
	var convs int64
	for _, op := range whole.Ops {
		if op.Kind == OpConv && op.Kernel == 3 {
			convs += op.MultiplyAdds
		}
	}
	require.EqualValues(t, 15_346_630_656, convs)
	require.EqualValues(t, 7*7*7*7*512*4096, find(t, whole, "fc6").MultiplyAdds)
	require.EqualValues(t, 28*28*16*16*21*21, find(t, whole, "upscore8").MultiplyAdds)
	require.EqualValues(t, 4*224*224*64, find(t, whole, "conv1_1").Bytes)
	require.Zero(t, find(t, whole, "pool1").MultiplyAdds)
	c.Upsample = Bilinear
	require.EqualValues(t, 28*28*16*16*21, find(t, trace(t, c, 224, 224), "upscore8").MultiplyAdds)

	// Twice as high is twice the work, where nothing is padded.
	require.Equal(t, 2*trace(t, c, 224, 224).MultiplyAdds(), trace(t, c, 448, 224).MultiplyAdds())
	require.Equal(t, 2*trace(t, c, 224, 224).Bytes(), trace(t, c, 224, 448).Bytes())
}

// The sides of the score map are those of the authors' nets, whatever traces them.
func TestTracedScoreMap(t *testing.T) {
	for side, want := range map[int]int{224: 8, 256: 9, 320: 11, 375: 12, 500: 16, 512: 17, 1024: 33} {
		score := find(t, trace(t, paperNet("fcn8s"), side, 1), "score_fr")
		require.Equal(t, want, score.Height, side)
	}
	for arch, want := range map[string]int{"fcn32s": 544, "fcn16s": 560, "fcn8s": 568} {
		ops := trace(t, paperNet(arch), 500, 500).Ops
		require.Equal(t, want, ops[len(ops)-2].Width, arch)
	}
}

// In the paper's geometry no size is refused.
func TestTraceAcceptsAllSizes(t *testing.T) {
	for _, arch := range Archs() {
		c := paperNet(arch)
		for side := 1; side < 2100; side++ {
			trace(t, c, side, 2100-side)
		}
	}
	_, err := validNet().Trace(maxSide, maxSide)
	require.NoError(t, err)
}

func TestTraceRefuses(t *testing.T) {
	for _, size := range [][2]int{{0, 5}, {5, 0}, {-1, -1}, {maxSide + 1, 5}, {5, maxSide + 1}} {
		_, err := validNet().Trace(size[0], size[1])
		require.ErrorContains(t, err, fmt.Sprintf("an image of %dx%d: both sides are 1 to 65536 pixels", size[0], size[1]))
	}
	_, err := Config{}.Trace(5, 5)
	require.ErrorContains(t, err, "model.arch")
	// What no network here does, another table of operations might.
	c := validNet()
	for want, op := range map[string]Op{
		"fc6 would leave nothing of 5x5":      {Name: "fc6", Kind: OpConv, Kernel: 7},
		"crop would cut 5x5 at 1 out of 5x5":  {Name: "crop", Kind: OpCrop, Like: Images, Offset: 1},
		"sum would add 5x5 and 6x6":           {Name: "sum", Kind: OpAdd, Inputs: []string{Images, "other"}},
		"pool would leave nothing of 1x1":     {Name: "pool", Kind: OpPool, Kernel: 2, Stride: 2, Inputs: []string{"small"}},
		"upscore would leave nothing of 1x1":  {Name: "upscore", Kind: OpUpsample, Stride: 2, Kernel: 4, Pad: 2, Inputs: []string{"small"}},
		"conv would leave nothing of 1x1":     {Name: "conv", Kind: OpConv, Kernel: 3, Inputs: []string{"small"}},
		"score would cut 6x6 at 0 out of 5x5": {Name: "score", Kind: OpCrop, Like: "other"},
	} {
		if op.Inputs == nil {
			op.Inputs = []string{Images}
		}
		_, err := c.traceOp(op, map[string]TracedOp{
			Images:  {Height: 5, Width: 5, Field: imageField()},
			"other": {Height: 6, Width: 6, Field: imageField()},
			"small": {Height: 1, Width: 1, Field: imageField()},
		})
		require.EqualError(t, err, want)
	}
}

func TestTraceUntil(t *testing.T) {
	t.Parallel()
	whole, err := Config{Arch: "fcn8s", Encoder: "vgg16", Classes: 21, Width: 64, Head: 4096, Upsample: Learned, Geometry: Same}.Trace(64, 64)
	require.NoError(t, err)
	encoder := whole.Until("pool5")
	require.Equal(t, "pool5", encoder.Ops[len(encoder.Ops)-1].Name)
	require.EqualValues(t, 14_714_688, encoder.Parameters()) // torchvision's vgg16().features
	require.EqualValues(t, 134_260_544, whole.Until("drop7").Parameters(), "and with classifier.0 and classifier.3")
	require.Equal(t, whole, whole.Until("nothing of that name"))
}
