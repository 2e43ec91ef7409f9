package models

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

// What waits for something, or is computed once, is what it was, if no denormal, which XLA takes for zero.
func TestAfterAndOnce(t *testing.T) {
	inf := float32(math.Inf(1))
	x := []float32{-inf, -1.5, float32(math.Copysign(0, -1)), 0, 1.5e-38, 3, inf, float32(math.NaN())}
	for _, backend := range bothBackends {
		t.Run(backend, func(t *testing.T) {
			got := run(t, Backend(t, backend), func(a []*graph.Node) []*graph.Node {
				return []*graph.Node{once(a[0], a[1]), After(a[0], a[1])}
			}, x, []float32{-7, inf})
			once, after := tensors.MustCopyFlatData[float32](got[0]), tensors.MustCopyFlatData[float32](got[1])
			for i, want := range x {
				require.True(t, alike(want, once[i]), "%g became %g by once", want, once[i])
				require.True(t, alike(want, after[i]), "%g became %g by After", want, after[i])
			}
		})
	}
}

// alike takes -0 for 0 and one NaN for another.
func alike(a, b float32) bool { return a == b || a != a && b != b }
