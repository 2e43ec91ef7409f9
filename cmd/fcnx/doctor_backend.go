package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/device"
)

// newDoctorBackendCommand is what checkBackendApart starts. Nobody else has a use for it.
func newDoctorBackendCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "backend KIND",
		Short:  "Check one backend",
		Hidden: true,
		Args:   usageArguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := pluginStore()
			if err != nil {
				return err
			}
			return writeIndented(cmd.OutOrStdout(), checkBackend(cmd.Context(), store, args[0]))
		},
	}
}

// checkBackendApart is checkBackend in another process of this program: XLA ends the one that
// it is in at a flag that it does not know, and a library that crashes takes it along.
func checkBackendApart(ctx context.Context, kind string) check {
	c := askBackend(ctx, kind)
	if c.Status == statusBroken && strings.Contains(c.Detail, "XLA_FLAGS") {
		c.Repair = "unset XLA_FLAGS"
	}
	return c
}

func askBackend(ctx context.Context, kind string) check {
	broken := check{Name: kind + " backend", Status: statusBroken}
	self, err := os.Executable()
	if err != nil {
		broken.Detail = err.Error()
		return broken
	}
	cmd := anotherProcess(ctx, self, "doctor", "backend", kind)
	cmd.WaitDelay = time.Second // for what it may have started
	out, err := cmd.Output()
	var c check
	if err == nil {
		if err = json.Unmarshal(out, &c); err == nil {
			return c
		}
	}
	broken.Detail = fmt.Sprintf("the process that tries it ends: %v", err)
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		if words := whyEnded(string(ended.Stderr)); words != "" {
			broken.Detail += ": " + words
		}
	}
	return broken
}

// whyEnded is why a process ended, of what it wrote to standard error.
func whyEnded(stderr string) string {
	for _, how := range []string{
		`(?m)^F\d{4} .*?\] (.*)$`,                          // XLA
		`(?m)^\s+what\(\):\s+(.*)$`,                        // an exception in C++
		`(?m)^(?:panic|fatal error|fcnx|SIG[A-Z]+): (.*)$`, // Go
	} {
		if found := regexp.MustCompile(how).FindStringSubmatch(stderr); found != nil {
			return strings.TrimSpace(found[1])
		}
	}
	first, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	return strings.TrimSpace(first)
}

// checkBackend opens a backend and computes on it.
func checkBackend(ctx context.Context, store *device.Store, kind string) check {
	c := check{Name: kind + " backend", Status: statusBroken}
	start := time.Now()
	b, err := device.Open(ctx, device.Options{Backend: kind, Store: store, Prepare: prepareFor(device.CUDAOptions{TF32: true}, func(string) {})})
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	defer b.Close()
	opened := time.Since(start)
	took, err := device.Probe(b.Compute)
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	c.Status = statusOK
	c.Detail = fmt.Sprintf("%s, %d device(s), opened in %.2f s, a tiny graph is right after %.2f s", b.Version, b.Devices, opened.Seconds(), took.Seconds())
	if kind == device.Go {
		c.Detail += " (about 150 times slower than XLA)"
	}
	return c
}
