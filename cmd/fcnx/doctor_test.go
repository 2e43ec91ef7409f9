package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

// With the real plugin, doctor finds nothing to repair in it and computes on it.
func TestDoctorOnXLA(t *testing.T) {
	store, err := device.Default(os.Getenv)
	require.NoError(t, err)
	if _, err := store.Find(device.CPU); err != nil {
		t.Skipf("this test computes on XLA: %v", err)
	}
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitDone, run(t.Context(), []string{"doctor", "--json"}, nil, &stdout, &stderr), "%s", &stderr)
	var d diagnosis
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &d))
	require.Contains(t, []string{device.CPU, device.CUDA}, d.Backend)
	found := map[string]check{}
	for _, c := range d.Checks {
		found[c.Name] = c
	}
	require.Equal(t, statusOK, found["cpu plugin"].Status)
	require.Regexp(t, `^PJRT \d+\.\d+, 1 device\(s\), .* a tiny graph is right`, found["cpu backend"].Detail)
	require.Empty(t, stderr.String())
}
