package models_test

import (
	"os"
	"testing"

	"github.com/gomlx/compute"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

// backend opens the CPU plugin, or the Go backend.
func backend(t *testing.T, kind string) compute.Backend {
	t.Helper()
	store, err := device.Default(os.Getenv)
	require.NoError(t, err)
	b, err := device.Open(t.Context(), device.Options{Backend: kind, Store: store})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b.Compute
}
