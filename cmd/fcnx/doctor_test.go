package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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

// A python3 that is a script, as pyenv's, may start what outlives it and holds its output:
// doctor waited for that, too.
func TestToolThatLeavesAProcess(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho Python 3.99\nsleep 1000 &\necho $! >" + filepath.Join(dir, "pid") + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "python3"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	c := checkPython(t.Context())
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL), "it was not waited for")
	require.Equal(t, statusOK, c.Status, c.Detail)
	require.Equal(t, filepath.Join(dir, "python3")+": Python 3.99", c.Detail)
}

// What a process says last is not its last line.
func TestWhyEnded(t *testing.T) {
	registers := "\n\nrax    0x0\ngs     0x0\n"
	for want, stderr := range map[string]string{
		"Unknown flag in XLA_FLAGS: --a": "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\nF0000 00:00:1.2 1 parse_flags.cc:2] Unknown flag in XLA_FLAGS: --a\n*** Check failure stack trace: ***\n",
		"out of luck":                    "terminate called after throwing an instance of 'std::runtime_error'\n  what():  out of luck\nSIGABRT: abort\nPC=0x7f m=0 sigcode=18446744073709551610" + registers,
		"segmentation violation":         "SIGSEGV: segmentation violation\nPC=0x7f m=0 sigcode=1 addr=0x0" + registers,
		"boom":                           "panic: boom\n\ngoroutine 1 [running]:\n",
		"killed by something":            "killed by something\n",
		"":                               "",
	} {
		require.Equal(t, want, whyEnded(stderr))
	}
}
