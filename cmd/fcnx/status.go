package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui"
	"github.com/fcnx/fcnx/tui/picture"
)

type statusOptions struct {
	json, unicode bool
	compilations  bool
	at, size, svg string
	panel         string
}

func newStatusCommand() *cobra.Command {
	var options statusOptions
	cmd := &cobra.Command{
		Use:   "status RUN [RUN...]",
		Short: "Print how a run is doing, once: for cron, mail and scripts",
		Long: `Print one frame of the dashboard in plain ASCII, or with --json the numbers in it. The exit code is 0 whatever the run
does; with --json, "state" says what that is: waiting, loading, compiling, training, evaluating, saving, done, stopped,
diverged, failed, or lost (its process ended without a word).`,
		Example: `  fcnx status runs/camvid-fcn8s
  fcnx status runs/camvid-fcn8s --json | jq .mean_iou
  fcnx status runs/camvid-fcn8s --at 60% --size 40x120 --svg frame.svg`,
		Args: someArguments("run"),
		RunE: func(cmd *cobra.Command, args []string) error { return runStatus(cmd, options, args) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&options.json, "json", false, "print numbers as JSON, one object a run and line")
	flags.StringVar(&options.size, "size", "24x80", "rows and columns of the frame, as `HxW`")
	flags.StringVar(&options.panel, "panel", "", "show only this panel, by `name` or number: loss, picture, ...")
	flags.BoolVar(&options.compilations, "compilations", false, "print instead what its process has compiled, in how long, and the memory that it needs")
	flags.StringVar(&options.at, "at", "", "as it was at this `place`: 60%, a step (1200), or a time (10m)")
	flags.BoolVar(&options.unicode, "unicode", false, "draw with lines and dots instead of ASCII")
	flags.StringVar(&options.svg, "svg", "", "write the frame in colour to this SVG `file` instead")
	return cmd
}

func runStatus(cmd *cobra.Command, options statusOptions, args []string) error {
	h, w, err := train.ParseSize(options.size)
	if err != nil || h > 500 || w > 1000 {
		return usageError(fmt.Errorf("--size %q is no size such as 24x80, rows first", options.size))
	}
	if options.json && options.svg != "" {
		return usageError(errors.New("--json and --svg are two ways to answer; give one of them"))
	}
	if options.compilations && (options.json || options.svg != "" || options.panel != "") {
		return usageError(errors.New("--compilations is an answer of its own, and in --json already; give it without --json, --svg and --panel"))
	}
	if options.panel != "" && len(args) > 1 {
		return usageError(errors.New("--panel is for one run"))
	}
	var sources []tui.Source
	for _, dir := range args {
		s, err := options.open(dir)
		if err != nil {
			return err
		}
		defer s.Close()
		sources = append(sources, s)
	}
	if options.json {
		for _, s := range sources {
			summary, err := summarize(s)
			if err != nil {
				return dataError(err)
			}
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(summary); err != nil {
				return err
			}
		}
		return nil
	}
	if options.compilations {
		for _, s := range sources {
			summary, err := summarize(s)
			if err != nil {
				return dataError(err)
			}
			if len(sources) > 1 {
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n", wording.Printable(summary.Dir))
			}
			printCompilations(cmd.OutOrStdout(), summary.Compiled)
		}
		return nil
	}
	model := tui.New(tui.Options{
		Now: time.Now, ASCII: !options.unicode && options.svg == "", Color: options.svg != "", Still: true, Picture: picture.OpenBelow,
	}, sources...)
	if options.panel != "" {
		if err := model.Focus(options.panel); err != nil {
			return usageError(fmt.Errorf("--panel: %w", err))
		}
	}
	if err := model.Load(); err != nil {
		return dataError(err)
	}
	lines := model.Screen(w, h)
	if options.svg != "" {
		return writeError(writeSVG(options.svg, lines, w))
	}
	return printFrame(cmd.OutOrStdout(), lines)
}

func printFrame(w io.Writer, lines []string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, strings.TrimRight(ansi.Strip(line), " ")); err != nil {
			return err
		}
	}
	return nil
}

// open opens a run as it is now, or as it was.
func (o statusOptions) open(dir string) (tui.Source, error) {
	if o.at == "" {
		return openWatched(dir, "")
	}
	replay, err := watchOptions{at: o.at}.replay()
	if err != nil {
		return nil, usageError(err)
	}
	return openReplay(dir, replay)
}

// summarize reads all that a run has said.
func summarize(s tui.Source) (tui.Summary, error) {
	model := tui.New(tui.Options{Now: time.Now}, s)
	if err := model.Load(); err != nil {
		return tui.Summary{}, err
	}
	return model.Summarize(), nil
}

// summaryOf is the summary of the run in dir; where that cannot be read, an empty
// one.
func summaryOf(dir string) tui.Summary {
	s, err := openWatched(dir, "")
	if err != nil {
		return tui.Summary{}
	}
	defer s.Close()
	summary, err := summarize(s)
	if err != nil {
		return tui.Summary{}
	}
	return summary
}
