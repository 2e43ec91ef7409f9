package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
)

// warnTo gives the writer of warnings.
func warnTo(w io.Writer) func(string) {
	return func(text string) { fmt.Fprintf(w, "fcnx: warning: %s\n", harmless(text)) }
}

// harmless is a message without what would move a cursor, change a colour or turn text
// around: a file can be called anything. Lines stay lines.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// maxPixelsFlag is data.max_pixels for commands without --set.
func maxPixelsFlag(cmd *cobra.Command) *int64 {
	return cmd.Flags().Int64("max-pixels", datasets.DefaultMaxPixels, "decode no image of more than `N` pixels; one takes up to 20 bytes a pixel")
}

// checkMaxPixels checks the value of maxPixelsFlag.
func checkMaxPixels(n int64) error {
	if n < 1 || n > datasets.MaxMaxPixels {
		return usageError(fmt.Errorf("--max-pixels %d is not between 1 and %d", n, int64(datasets.MaxMaxPixels)))
	}
	return nil
}

// oneArgument is the argument check of commands on one thing.
func oneArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return usageError(fmt.Errorf("one %s is needed, not %d; see `%s --help`", name, len(args), cmd.CommandPath()))
	}
}

// backendFlag chooses what computes, for commands that a run does not tell: where it
// was trained says nothing about where it is used.
func backendFlag(cmd *cobra.Command) {
	fallback := os.Getenv("FCNX_DEVICE_BACKEND")
	if fallback == "" {
		fallback = train.Default().Device.Backend
	}
	cmd.Flags().String("backend", fallback, "auto, cpu, cuda or go, as `name`")
}

// deviceConfig is [device] for these commands: the value of backendFlag where it is said, and
// of the rest what the environment says.
func deviceConfig(cmd *cobra.Command) (train.DeviceConfig, error) {
	environ := slices.DeleteFunc(os.Environ(), func(v string) bool { return !strings.HasPrefix(v, "FCNX_DEVICE_") })
	backend := keyFlag{"backend", "device.backend", cmd.Flags().Lookup("backend").Value}
	config, origins, err := train.Load(train.Sources{Environ: environ, Flags: saidFlags(cmd, []keyFlag{backend})})
	if err != nil {
		return config.Device, usageError(err)
	}
	config.Device.Devices = 1 // which is what they compute on
	return config.Device, usageError(origins.Explain(config.ValidateNetwork()))
}

// interrupted gives an error that a signal or a request to stop caused its exit code,
// and says what became of the work where the error would say that a context was canceled.
func interrupted(ctx context.Context, err error, work string) error {
	if e, ok := endingOf(ctx, err); ok {
		return &exitError{e.exit(), fmt.Errorf("%v: %s", e, work)}
	}
	return err
}

// askedBy is how a command of this process signs what it asks of a run: "stop, process
// 4711 on host".
func askedBy(command string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s, process %d on %s", command, os.Getpid(), host)
}

// badSample gives an error that is about a sample its exit code.
func badSample(err error) error {
	var bad *datasets.SampleError
	if errors.As(err, &bad) {
		return dataError(err)
	}
	return err
}
