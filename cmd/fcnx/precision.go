package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/train"
)

// precisionFlag is for commands that use a network: what it was trained in does not count
// there.
func precisionFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("precision", train.Float32, "compute in "+strings.Join(train.Precisions(), " or ")+", as `name`")
}

// checkPrecision checks the value of such a flag.
func checkPrecision(name string) error {
	if !slices.Contains(train.Precisions(), name) {
		return usageError(fmt.Errorf("--precision %q: %s", name, strings.Join(train.Precisions(), " or ")))
	}
	return nil
}

// warnOfPrecision tells whoever asked for a precision by which the backend gains nothing.
func warnOfPrecision(b *device.Backend, warn func(string), precision string) {
	if b.Kind != device.CUDA && precision == train.BFloat16 {
		warn(fmt.Sprintf("on the backend %s bfloat16 is no faster than float32, and saves no memory; it is for GPUs (docs/precision.md)", b.Kind))
	}
}
