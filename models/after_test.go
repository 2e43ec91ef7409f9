package models

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

// What waits for something, or is computed once, is what it was, if no denormal, which XLA
// takes for zero. That the something was looked at shows where it begins with NaN or Inf.
func TestAfterAndOnce(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x := []float32{-inf, -1.5, float32(math.Copysign(0, -1)), 0, 1.5e-38, 3, inf, nan}
	for _, backend := range bothBackends {
		for _, y := range []float32{-7, 0, inf, nan} {
			t.Run(fmt.Sprintf("%s/%g", backend, y), func(t *testing.T) {
				got := run(t, Backend(t, backend), func(a []*graph.Node) []*graph.Node {
					return []*graph.Node{once(a[0], a[1]), After(a[0], a[1])}
				}, x, []float32{y, inf})
				once, after := tensors.MustCopyFlatData[float32](got[0]), tensors.MustCopyFlatData[float32](got[1])
				broken := y-y != 0 // NaN or Inf
				for i, v := range x {
					want := v
					if broken && v < 0 {
						want = nan
					}
					require.True(t, alike(want, once[i]), "%g became %g by once", v, once[i])
					if want = v; broken {
						want = nan
					}
					require.True(t, alike(want, after[i]), "%g became %g by After", v, after[i])
				}
			})
		}
	}
}

// alike takes -0 for 0 and one NaN for another.
func alike(a, b float32) bool { return a == b || a != a && b != b }
