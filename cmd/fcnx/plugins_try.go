package main

import (
	"context"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/device"
)

// pluginStore is the user's own store of plugins. A plugin that fcnx does not know by
// its hash is tried in another process of this program first.
func pluginStore() (*device.Store, error) {
	store, err := device.Default(os.Getenv)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	store.Trial = func(ctx context.Context, path string) *exec.Cmd {
		return anotherProcess(ctx, self, "plugins", "try", path)
	}
	return store, nil
}

// anotherProcess is a command of this program for what may end the process that does it.
func anotherProcess(ctx context.Context, self string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, self) // #nosec G204 -- this program itself
	cmd.Args = append([]string{"fcnx"}, args...)
	// What a library needs is found by the same variables as later; but not the restart of
	// useHugePages.
	cmd.Env = append(os.Environ(), tunables+"=", "GOTRACEBACK=none")
	return cmd
}

// newPluginsTryCommand is what pluginStore starts. Nobody else has a use for it.
func newPluginsTryCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "try FILE",
		Short:  "Load a library that may be no plugin, and say so",
		Hidden: true,
		Args:   usageArguments(cobra.ExactArgs(1)),
		RunE:   func(cmd *cobra.Command, args []string) error { return device.Try(args[0], cmd.OutOrStdout()) },
	}
}
