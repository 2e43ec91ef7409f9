package main

import (
	"os"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// Whatever a user can run is on the page of the commands.
func TestCommandsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/commands.md")
	require.NoError(t, err)
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
		if cmd.HasParent() && !cmd.Hidden && (!cmd.HasSubCommands() || cmd.Flags().HasFlags()) {
			require.Regexp(t, "(?m)^\\| .*`"+cmd.CommandPath()+"[ `]", string(page))
		}
	}
	root := newRootCommand()
	require.Greater(t, len(root.Commands()), 10)
	visit(root)
}
