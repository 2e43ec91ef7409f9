package device

import (
	"fmt"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Probe compiles and runs a tiny graph on b and checks what comes out of it: a
// backend that opens may still not compute. It returns the time that took.
func Probe(b compute.Backend) (elapsed time.Duration, err error) {
	start := time.Now()
	exec, err := graph.NewExec(b, func(x *graph.Node) *graph.Node {
		return graph.ReduceAllSum(graph.MatMul(x, graph.Transpose(x, 0, 1)))
	})
	if err != nil {
		return 0, unusablef("a tiny graph does not build: %w", err)
	}
	defer exec.Finalize()
	// The entries of x times its transpose [[5 11] [11 25]] add up to 52.
	out, err := exec.Call1([][]float32{{1, 2}, {3, 4}})
	if err != nil {
		return 0, unusablef("a tiny graph does not run: %w", err)
	}
	defer func() { _ = out.FinalizeAll() }() // it can only fail by being gone already
	got, err := tensors.CopyFlatData[float32](out)
	if err != nil {
		return 0, unusablef("the result of a tiny graph cannot be read: %w", err)
	}
	if fmt.Sprint(got) != "[52]" {
		return 0, unusablef("a tiny graph gives %v where 52 is right; this backend must not be used", got)
	}
	return time.Since(start), nil
}
