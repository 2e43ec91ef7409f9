package train

import (
	"testing"

	"github.com/gomlx/compute"

	"github.com/fcnx/fcnx/device/devicetest"
)

// onXLA is what trains in tests.
func onXLA(t testing.TB) compute.Backend {
	t.Helper()
	return devicetest.Backend(t).Compute
}
