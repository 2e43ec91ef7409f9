package main

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"
)

// version is fcnx's own; a build from a tagged module says its tag instead.
const version = "0.1.0-dev"

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of fcnx and of what it is built from",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "fcnx %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			built := builtFrom()
			for _, path := range slices.Sorted(maps.Keys(built)) {
				fmt.Fprintf(out, "  %s %s\n", path, built[path])
			}
			return nil
		},
	}
}

// builtFrom tells the versions of the modules on which numbers depend.
func builtFrom() map[string]string {
	versions := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	for _, dep := range info.Deps {
		switch dep.Path {
		case "github.com/gomlx/gomlx", "github.com/gomlx/go-xla", "github.com/gomlx/compute":
			versions[dep.Path] = dep.Version
		}
	}
	return versions
}
