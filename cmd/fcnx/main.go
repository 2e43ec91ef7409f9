// Command fcnx trains fully convolutional networks for semantic segmentation.
//
// One file a command; this one maps errors to exit codes. What a command is for
// goes to standard output, everything else to standard error.
//
// Archives are read in place, and no name in one is ever a path. Should that change,
// the standard library refuses names that lead out of an archive:
//
//go:debug zipinsecurepath=0
//go:debug tarinsecurepath=0
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	useHugePages()
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the process: what it returns is the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if isIndexReader() {
		return readIndex(stdout)
	}
	// A full quota is an error of a write, not a reason to die in the middle of it.
	signal.Ignore(syscall.SIGXFSZ)
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	out, results := resultsTo(stdout)
	root.SetOut(out)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if cmd.Name() != "train" { // a run keeps what it says in its directory, and is whole without
		err = results.whole(err)
	}
	if err == nil {
		return exitDone
	}
	var quiet *quietExit
	if !errors.As(err, &quiet) {
		fmt.Fprintf(stderr, "fcnx: %s\n", harmless(strings.TrimRight(err.Error(), "\n")))
	}
	return exitCode(err)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "fcnx",
		Short: "Train fully convolutional networks for semantic segmentation",
		// Errors are printed once, by run, and never with the usage text: a wrong
		// flag should not push its own message off the screen.
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		CompletionOptions:          cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:                       noSuchCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
	})
	for _, group := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Before a run:", []*cobra.Command{newDataCommand(), newLRCommand()}},
		{"Runs:", []*cobra.Command{newTrainCommand(), newWatchCommand(), newStatusCommand(), newStopCommand()}},
		{"Networks:", []*cobra.Command{newEvalCommand(), newPredictCommand(), newReproduceCommand(), newInspectCommand(), newWeightsCommand(), newBenchCommand()}},
		{"This machine:", []*cobra.Command{newPluginsCommand(), newDoctorCommand(), newVersionCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, cmd := range group.commands {
			cmd.GroupID = group.title
			root.AddCommand(cmd)
		}
	}
	root.SetHelpCommandGroupID("This machine:")
	return root
}

// noSuchCommand is the answer to `fcnx trian`.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %q?", near[0])
	}
	return usageError(fmt.Errorf("no command %q for %q%s (see `%s --help`)", args[0], cmd.CommandPath(), hint, cmd.CommandPath()))
}
