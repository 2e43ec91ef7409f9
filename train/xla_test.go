package train

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

// The plugin is opened once for all tests, and lives until they end: hashing its
// 259 MB a dozen times would take longer than what is tested.
var openCPU = sync.OnceValues(func() (*device.Backend, error) {
	store, err := device.Default(os.Getenv)
	if err != nil {
		return nil, err
	}
	return device.Open(context.Background(), device.Options{Backend: device.CPU, Store: store})
})

// cpu is XLA on the CPU, which is what trains.
func cpu(t testing.TB) compute.Backend {
	t.Helper()
	b, err := openCPU()
	require.NoError(t, err)
	return b.Compute
}
