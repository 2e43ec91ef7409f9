package models

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

// Sums by rows are what they are one by one. Where several are of the same nodes, their weights came
// with y, which shows where that begins with NaN.
func TestWeighAll(t *testing.T) {
	for name, rows := range map[string][][]float64{
		"input": winogradInput, "kernel": winogradKernel, "output": winogradOutput, "kernel's kernel": winogradKernelG, "kernel's output": winogradKernelA,
		"one": {{2, 3}}, "one node, twice": {{0, 2}, {0, 3}}, "none alike": {{0, 1}, {2, 0}, {3, 4}},
	} {
		times := map[string]int{}
		for _, row := range rows {
			times[fmt.Sprint(which(row))]++
		}
		for _, y := range []float32{7, float32(math.NaN())} {
			for _, backend := range bothBackends {
				t.Run(fmt.Sprintf("%s/%g/%s", name, y, backend), func(t *testing.T) {
					var args []any
					for i := range rows[0] {
						args = append(args, []float32{float32(i) + 0.5, float32(i * i), -float32(i)})
					}
					got := run(t, Backend(t, backend), func(a []*graph.Node) []*graph.Node {
						return weighAll(a[1:], rows, a[0])
					}, append([]any{[]float32{y, 1}}, args...)...)
					for r, row := range rows {
						sums := tensors.MustCopyFlatData[float32](got[r])
						for k, sum := range sums {
							want := 0.0
							for i, weight := range row {
								want += weight * float64(args[i].([]float32)[k])
							}
							if y != y && times[fmt.Sprint(which(row))] > 1 {
								want = math.NaN()
							}
							require.InDelta(t, want, sum, 1e-4, "number %d of row %v", k, row)
						}
					}
				})
			}
		}
	}
}

// which lists the weights that are not zero.
func which(weights []float64) (at []int) {
	for i, weight := range weights {
		if weight != 0 {
			at = append(at, i)
		}
	}
	return at
}
