package models

import (
	"fmt"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

// build makes the graph of f on images of one size without compiling it, and
// returns the dimensions of what f returns.
func build(t *testing.T, h, w int, f func(scope *model.Scope, images *graph.Node) []*graph.Node) [][]int {
	t.Helper()
	g := graph.NewGraph(Backend(t, device.Go), fmt.Sprintf("%dx%d", h, w))
	defer g.Finalize()
	images := graph.Parameter(g, "images", shapes.Make(dtypes.Float32, 2, h, w, 3))
	var dims [][]int
	require.NotPanics(t, func() {
		for _, node := range f(model.NewStore().RootScope(), images) {
			dims = append(dims, node.Shape().Dimensions)
		}
	}, "%dx%d", h, w)
	return dims
}

func logitsDims(t *testing.T, c Config, h, w int) []int {
	t.Helper()
	return build(t, h, w, func(scope *model.Scope, images *graph.Node) []*graph.Node {
		return []*graph.Node{c.Logits(scope, images, Pass{})}
	})[0]
}

// Every size of image has logits of its own size, in both geometries: no crop
// reaches outside of what it cuts from. Heights and widths run in opposite
// directions, so that neither can pass for the other.
func TestLogitsHaveTheSizeOfTheImage(t *testing.T) {
	const largest = 300
	for _, geometry := range []string{Same, Paper} {
		for _, arch := range Archs() {
			t.Run(geometry+"/"+arch, func(t *testing.T) {
				c := Config{Arch: arch, Encoder: "vgg11", Classes: 2, Width: 1, Head: 1, Upsample: Depthwise, Geometry: geometry}
				for h := 1; h <= largest; h++ {
					w := largest + 1 - h
					require.Equal(t, []int{2, h, w, 2}, logitsDims(t, c, h, w))
				}
			})
		}
	}
}

// The network of the paper, at full width, builds in either geometry.
func TestPaperSizedNetBuilds(t *testing.T) {
	for _, geometry := range []string{Same, Paper} {
		for _, arch := range Archs() {
			for _, size := range [][2]int{{1, 1}, {2, 3}, {17, 33}, {31, 32}, {224, 224}, {375, 500}} {
				c := paperNet(arch)
				c.Geometry, c.Upsample = geometry, Learned
				require.Equal(t, []int{2, size[0], size[1], 21}, logitsDims(t, c, size[0], size[1]))
			}
		}
	}
}

// In the geometry "same" stage s is exactly 1/2^s of the padded image.
func TestStagesOfSameGeometry(t *testing.T) {
	c := Config{Arch: "fcn8s", Encoder: "vgg16", Classes: 2, Width: 8, Head: 1, Geometry: Same}
	dims := build(t, 96, 64, func(scope *model.Scope, images *graph.Node) []*graph.Node {
		pools := c.encode(scope, images, Pass{})
		return pools[:]
	})
	require.Equal(t, [][]int{{2, 96, 64, 3}, {2, 48, 32, 8}, {2, 24, 16, 16}, {2, 12, 8, 32}, {2, 6, 4, 64}, {2, 3, 2, 64}}, dims)
}

// Logits of images that are not RGB, or not images, are refused when the graph is
// built.
func TestLogitsRefuseOtherShapes(t *testing.T) {
	c := smallNet("fcn8s")
	g := graph.NewGraph(Backend(t, device.Go), "refused")
	defer g.Finalize()
	gray := graph.Parameter(g, "gray", shapes.Make(dtypes.Float32, 1, 32, 32, 1))
	require.Panics(t, func() { c.Logits(model.NewStore().RootScope(), gray, Pass{}) })
}
