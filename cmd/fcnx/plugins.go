package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/device"
)

func newPluginsCommand() *cobra.Command {
	plugins := &cobra.Command{
		Use:   "plugins",
		Short: "Install and check the XLA plugins that compute",
		Long: `Install and check the XLA plugins that compute: cpu, and cuda for NVIDIA GPUs.

They lie in $FCNX_PLUGINS_DIR, or $XDG_DATA_HOME/fcnx/plugins, or ~/.local/share/fcnx/plugins.
A plugin is opened only after its sha256 was checked; fcnx never fetches one by itself.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	plugins.AddCommand(newPluginsListCommand(), newPluginsInstallCommand(), newPluginsVerifyCommand(), newPluginsRemoveCommand(), newPluginsTryCommand())
	return plugins
}

func newPluginsListCommand() *cobra.Command {
	var asJSON bool
	list := &cobra.Command{
		Use:   "list",
		Short: "Say which plugins are installed",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := pluginStore()
			if err != nil {
				return err
			}
			installed := []device.Plugin{}
			var damage error
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, kind := range device.PluginKinds() {
				p, err := store.Find(kind)
				switch {
				case err == nil:
					installed = append(installed, p)
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", kind, pluginName(p), pluginOrigin(p), p.Path)
				case errors.Is(err, device.ErrNotInstalled):
					fmt.Fprintf(table, "%s\tnot installed\n", kind)
				default:
					damage = errors.Join(damage, err)
				}
			}
			if asJSON {
				if err := writeIndented(cmd.OutOrStdout(), installed); err != nil {
					return err
				}
			} else if err := table.Flush(); err != nil {
				return err
			}
			return backendError(damage)
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print the records of the installed plugins as JSON")
	return list
}

func newPluginsInstallCommand() *cobra.Command {
	var from string
	var force bool
	install := &cobra.Command{
		Use:   "install cpu|cuda",
		Short: "Install a plugin, its hash checked",
		Long: `Install a plugin, its hash checked. Where it is installed already, nothing is done.

Without --from, pip fetches a package whose sha256 fcnx knows. --from takes
  FILE      a wheel or a library; one that is not the pinned one is recorded with its own hash
  DIR       a directory with one of them
  jax       for cuda: the plugin of the JAX that the current python3 has, which stays where it is
  release   for cpu: what go-xla's own installer downloads, which no hash is known of`,
		Args: onePlugin,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := pluginStore()
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context(), cmd.ErrOrStderr(), "nothing was installed")
			defer stop()
			p, already, err := store.Install(ctx, device.InstallOptions{
				Kind: args[0], From: from, Force: force,
				Progress: cmd.ErrOrStderr(), Now: time.Now(),
			})
			if s, ok := endingOf(ctx, err); ok {
				return &quietExit{s.exit()}
			}
			var wrong *device.SourceError
			if errors.As(err, &wrong) {
				return usageError(err)
			}
			if err != nil {
				return writeErrorBelow(store.Dir, err)
			}
			what := "installed"
			if already {
				what = "already installed and verified"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: the %s plugin, %s, %s\n  %s\n  sha256 %s\n", what, p.Kind, pluginName(p), pluginOrigin(p), p.Path, p.SHA256)
			return nil
		},
	}
	install.Flags().StringVar(&from, "from", "", "FILE | DIR | jax | release, instead of the pinned package")
	install.Flags().BoolVar(&force, "force", false, "install again where it is installed already")
	return install
}

func newPluginsVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [cpu|cuda]",
		Short: "Compare an installed plugin with the hash that was recorded",
		Args:  cobra.MatchAll(usageArguments(cobra.MaximumNArgs(1)), knownPlugins),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := pluginStore()
			if err != nil {
				return err
			}
			kinds := args
			for _, kind := range device.PluginKinds() {
				if _, err := store.Find(kind); len(args) == 0 && !errors.Is(err, device.ErrNotInstalled) {
					kinds = append(kinds, kind)
				}
			}
			if len(kinds) == 0 {
				kinds = []string{device.CPU} // whose absence is then the error
			}
			var damage error
			for _, kind := range kinds {
				p, err := store.Verify(cmd.Context(), kind)
				if err != nil {
					damage = errors.Join(damage, err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: sha256 %s is right\n", kind, p.SHA256)
			}
			return backendError(damage)
		},
	}
}

func newPluginsRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove cpu|cuda",
		Short: "Take a plugin away",
		Args:  onePlugin,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := pluginStore()
			if err != nil {
				return err
			}
			if err := store.Remove(cmd.Context(), args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "removed the %s plugin from %s\n", args[0], store.Dir)
			return nil
		},
	}
}

// usageArguments gives the errors of one of cobra's argument checks the exit code of
// a usage error.
func usageArguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error { return usageError(check(cmd, args)) }
}

// noArguments is the argument check of commands that take none.
func noArguments(cmd *cobra.Command, args []string) error {
	return usageArguments(cobra.NoArgs)(cmd, args)
}

// onePlugin is the argument check of commands on one plugin.
func onePlugin(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError(fmt.Errorf("which plugin? `%s %s`", cmd.CommandPath(), strings.Join(device.PluginKinds(), "|")))
	}
	return knownPlugins(cmd, args)
}

func knownPlugins(_ *cobra.Command, args []string) error {
	for _, kind := range args {
		if kind != device.CPU && kind != device.CUDA {
			return usageError(fmt.Errorf("no plugin is called %q; there are %s", kind, strings.Join(device.PluginKinds(), " and ")))
		}
	}
	return nil
}

// pluginName is the package and version that a plugin came in, as far as known.
func pluginName(p device.Plugin) string {
	if p.Package == "" {
		return "of unknown version"
	}
	return strings.TrimSpace(p.Package + " " + p.Version)
}

// pluginOrigin says how far a plugin's bytes can be trusted.
func pluginOrigin(p device.Plugin) string {
	if p.Pinned {
		return "pinned"
	}
	return "not pinned, from " + p.Source
}

func writeIndented(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
