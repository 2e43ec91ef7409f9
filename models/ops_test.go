package models_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/models"
)

// TestOpsHaveAllVariables holds the list of operations to the list of variables:
// both describe one network.
func TestOpsHaveAllVariables(t *testing.T) {
	for _, arch := range models.Archs() {
		for _, encoder := range []string{"vgg11", "vgg16_bn"} {
			for _, geometry := range []string{models.Same, models.Paper} {
				c := models.Config{Arch: arch, Encoder: encoder, Classes: 5, Width: 2, Head: 3, Upsample: models.Learned, Geometry: geometry, AtOnce: arch == "fcn8s"}
				t.Run(fmt.Sprint(arch, encoder, geometry), func(t *testing.T) {
					shapes := map[string][]int{}
					for _, v := range c.Variables() {
						if v.Name == "weight" {
							shapes[v.Layer] = v.Shape
						}
					}
					known := map[string]int{models.Images: 3}
					for _, op := range c.Ops() {
						for _, input := range op.Inputs {
							require.Equal(t, op.In, known[input], "%s reads %s", op.Name, input)
						}
						if op.Like != "" {
							require.Contains(t, known, op.Like)
						}
						require.NotContains(t, known, op.Name)
						known[op.Name] = op.Out
						switch op.Kind {
						case models.OpConv, models.OpUpsample:
							require.Equal(t, []int{op.Kernel, op.Kernel, op.In, op.Out}, shapes[op.Name])
							delete(shapes, op.Name)
						case models.OpNorm:
							require.Equal(t, []int{op.In}, shapes[op.Name])
							delete(shapes, op.Name)
						default:
							require.NotContains(t, shapes, op.Name)
						}
					}
					require.Empty(t, shapes, "variables without an operation")
				})
			}
		}
	}
}
