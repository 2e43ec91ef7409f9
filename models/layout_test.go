package models

import (
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

func paperNet(arch string) Config {
	return Config{Arch: arch, Encoder: "vgg16", Classes: 21, Width: 64, Head: 4096, Upsample: Bilinear, Geometry: Paper, Dropout: 0.5}
}

func TestVariablesOfTheDefaultNet(t *testing.T) {
	c := Config{Arch: "fcn8s", Encoder: "vgg11_bn", Classes: 5, Width: 16, Head: 512, Upsample: Learned, Geometry: Same}
	shapesOf := map[string][]int{}
	var order []string
	for _, v := range c.Variables() {
		shapesOf[v.Path()] = v.Shape
		order = append(order, v.Path())
	}
	for path, want := range map[string][]int{
		"conv1_1/weight":       {3, 3, 3, 16},
		"conv2_1/weight":       {3, 3, 16, 32},
		"conv3_2/weight":       {3, 3, 64, 64},
		"conv4_1/weight":       {3, 3, 64, 128},
		"conv5_2/weight":       {3, 3, 128, 128},
		"conv5_2/bias":         {128},
		"bn5_2/weight":         {128},
		"bn5_2/running_var":    {128},
		"fc6/weight":           {7, 7, 128, 512},
		"fc7/weight":           {1, 1, 512, 512},
		"score_fr/weight":      {1, 1, 512, 5},
		"score_pool4/weight":   {1, 1, 128, 5},
		"score_pool3/weight":   {1, 1, 64, 5},
		"upscore2/weight":      {4, 4, 5, 5},
		"upscore_pool4/weight": {4, 4, 5, 5},
		"upscore8/weight":      {16, 16, 5, 5},
	} {
		require.Equal(t, want, shapesOf[path], path)
	}
	require.Len(t, order, 8*6+3*2+2*2+3)
	require.Len(t, shapesOf, len(order), "every name once")
	require.True(t, strings.HasPrefix(strings.Join(order, " "), "conv1_1/weight conv1_1/bias bn1_1/weight bn1_1/bias bn1_1/running_mean bn1_1/running_var conv2_1/weight"))
	require.True(t, strings.HasSuffix(strings.Join(order, " "), "score_fr/weight score_fr/bias upscore2/weight score_pool4/weight score_pool4/bias upscore_pool4/weight score_pool3/weight score_pool3/bias upscore8/weight"))
}

// The list that files, rates and freezing go by is the list of what the graph
// uses: no variable more, none less, and each in the shape that the graph asks for.
func TestVariablesAreThoseOfTheGraph(t *testing.T) {
	for _, encoder := range []string{"vgg11", "vgg13_bn", "vgg16_bn", "vgg19"} {
		for _, arch := range Archs() {
			for _, upsample := range []string{Learned, Depthwise, Bilinear} {
				c := Config{Arch: arch, Encoder: encoder, Classes: 4, Width: 2, Head: 3, Upsample: upsample, Geometry: Same, Dropout: 0.5}
				g := graph.NewGraph(Backend(t, device.Go), "variables")
				store := model.NewStore()
				images := graph.Parameter(g, "images", shapes.Make(dtypes.Float32, 1, 32, 32, 3))
				rng := graph.RNGStateFromSeedForGraph(g, 1)
				c.Logits(store.RootScope(), images, Pass{Training: true, RNG: rng})
				built := map[string][]int{}
				for v := range store.IterVariables() {
					built[strings.TrimPrefix(v.Path(), "/")] = v.Shape().Dimensions
				}
				listed := map[string][]int{}
				for _, v := range c.Variables() {
					listed[v.Path()] = v.Shape
					require.Equal(t, v.Learns(), store.GetVariable("/"+v.Path()).Trainable, v.Path())
				}
				require.Equal(t, listed, built, "%s %s %s", encoder, arch, upsample)
				g.Finalize()
			}
		}
	}
}

func TestPartsAndRoles(t *testing.T) {
	c := Config{Arch: "fcn8s", Encoder: "vgg13_bn", Classes: 4, Width: 2, Head: 3, Upsample: Depthwise}
	for _, v := range c.Variables() {
		part := PartEncoder
		switch {
		case strings.HasPrefix(v.Layer, "upscore"):
			part = PartUpsample
		case strings.HasPrefix(v.Layer, "score"):
			part = PartScore
		case strings.HasPrefix(v.Layer, "fc"):
			part = PartHead
		}
		require.Equal(t, part, v.Part, v.Path())
		require.Equal(t, strings.HasPrefix(v.Name, "running"), !v.Learns(), v.Path())
	}
}
