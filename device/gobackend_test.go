package device_test

import (
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

// TestGoBackendDoesNotWaitForItself runs a graph of many small matrix products that
// do not depend on each other. GoMLX's Go backend would give each a worker of its
// pool, and each would then wait for one more worker to do the work: with as many
// products as workers, for ever.
func TestGoBackendDoesNotWaitForItself(t *testing.T) {
	b, err := device.Open(t.Context(), device.Options{Backend: device.Go})
	require.NoError(t, err)
	defer b.Close()

	const products = 64
	x := tensors.FromShape(shapes.Make(dtypes.Float32, 512, 16, 16))
	w := tensors.FromShape(shapes.Make(dtypes.Float32, 512, 16, 16))
	sum := graph.MustNewExec(b.Compute, func(x, w *graph.Node) *graph.Node {
		total := graph.ScalarZero(x.Graph(), x.DType())
		for i := range products {
			p := graph.Einsum("bij,bjk->bik", graph.AddScalar(x, float64(i)), w)
			total = graph.Add(total, graph.ReduceAllSum(p))
		}
		return total
	})

	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			sum.MustCall(x, w)
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the Go backend waits for a worker of its own pool")
	}
}
