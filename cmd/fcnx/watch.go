package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/train/sink"
	"github.com/fcnx/fcnx/tui"
	"github.com/fcnx/fcnx/tui/feed"
	"github.com/fcnx/fcnx/tui/picture"
)

type watchOptions struct {
	speed, at string
	ascii     bool
}

func newWatchCommand() *cobra.Command {
	var options watchOptions
	cmd := &cobra.Command{
		Use:   "watch RUN [RUN...]",
		Short: "Watch a run live, look at one that has ended, or replay it",
		Long: `Watch a run that goes on, in this terminal or another one; look at one that has ended, in whatever way; or play it
again from its records. Several runs are shown on one chart. Leaving the dashboard leaves the run alone.

Where the output is no terminal, lines of text are written instead, until the run ends.`,
		Example: `  fcnx watch runs/camvid-fcn8s
  fcnx watch runs/a runs/b
  fcnx watch runs/camvid-fcn8s --speed 50x --at 60%`,
		Args: someArguments("run"),
		RunE: func(cmd *cobra.Command, args []string) error { return runWatch(cmd, options, args) },
	}
	cmd.Flags().StringVar(&options.speed, "speed", "", "replay the run from its beginning at this `speed`, as in 50x")
	cmd.Flags().StringVar(&options.at, "at", "", "begin the replay at this `place`: 60%, a step (1200), or a time (10m)")
	cmd.Flags().BoolVar(&options.ascii, "ascii", false, "draw with ASCII characters only")
	return cmd
}

func runWatch(cmd *cobra.Command, options watchOptions, args []string) error {
	replayed := options.speed != "" || options.at != ""
	replayOptions, err := options.replay()
	if err != nil {
		return usageError(err)
	}
	var sources []tui.Source
	defer func() {
		for _, s := range sources {
			_ = s.Close() // it was only read
		}
	}()
	for _, dir := range args {
		var s tui.Source
		var err error
		if replayed {
			s, err = openReplay(dir, replayOptions)
		} else {
			s, err = openWatched(dir, askedBy("watch"))
		}
		if err != nil {
			return err
		}
		sources = append(sources, s)
	}
	t := terminalOf(cmd.InOrStdin(), cmd.OutOrStdout(), os.Environ())
	if !t.interactive() {
		if len(sources) > 1 {
			return usageError(errors.New("several runs are for the dashboard, and this is no terminal; watch one, or see `fcnx status`"))
		}
		return tellPlainly(cmd.Context(), sources[0], cmd.OutOrStdout())
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	model := tui.New(t.options(options.ascii), sources...)
	why, err := model.Show(ctx, t.forDashboard())
	var broken *tui.PanicError
	if errors.As(err, &broken) {
		return brokenDashboard(broken, model.Dir())
	}
	if err != nil {
		return fmt.Errorf("the dashboard ended: %w", err)
	}
	if why == tui.Detached {
		fmt.Fprintf(cmd.ErrOrStderr(), "the run goes on: fcnx watch %[1]s looks at it, fcnx stop %[1]s ends it\n", model.Dir())
	}
	return nil
}

// options are those of a dashboard in this terminal.
func (t terminal) options(ascii bool) tui.Options {
	return tui.Options{
		Now: time.Now, ASCII: ascii || t.ascii(), Color: t.env("NO_COLOR") == "",
		// A picture is named by a colour, of which fewer do not tell them apart; tmux
		// would have to be told to let them through.
		Kitty: t.env("TMUX") == "" && t.profile() == colorprofile.TrueColor, Picture: picture.OpenBelow,
	}
}

func (t terminal) forDashboard() tui.Terminal {
	profile := t.profile()
	return tui.Terminal{In: t.in, Out: t.out, Environ: t.environ, Profile: &profile}
}

// replay reads --speed and --at.
func (o watchOptions) replay() (feed.ReplayOptions, error) {
	options := feed.ReplayOptions{Speed: 1, Now: time.Now}
	if o.speed != "" {
		x, err := strconv.ParseFloat(strings.TrimSuffix(o.speed, "x"), 64)
		if err != nil || !(x > 0) || x > 1e6 {
			return options, fmt.Errorf("--speed %q is no speed above 0 such as 50x", o.speed)
		}
		options.Speed = x
	}
	if o.at != "" {
		place, err := feed.ParsePlace(o.at)
		if err != nil {
			return options, fmt.Errorf("--at: %w", err)
		}
		options.At = place
	}
	return options, nil
}

// someArguments is the argument check of commands on one thing or several.
func someArguments(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return usageError(fmt.Errorf("a %s is needed; see `%s --help`", name, cmd.CommandPath()))
	}
}

// brokenDashboard is what to say of a bug of the dashboard's: where the run is, and
// where one can read what happened.
func brokenDashboard(broken *tui.PanicError, dir string) error {
	text := fmt.Sprintf("%v\n", broken)
	if file, err := os.CreateTemp("", "fcnx-dashboard-*.txt"); err == nil {
		fmt.Fprintf(file, "%v\n\n%s", broken, broken.Stack)
		file.Close()
		text += fmt.Sprintf("the details are in %s; ", file.Name())
	}
	if dir == "" {
		return errors.New(text + "the run goes on without it")
	}
	return fmt.Errorf("%sthe run goes on without it, and its log is %s/log.txt: fcnx watch %s", text, dir, dir)
}

// tellPlainly writes what a run says as lines of text, until it has ended.
func tellPlainly(ctx context.Context, source tui.Source, out io.Writer) error {
	lines := sink.NewPlain(out, plainEvery)
	defer lines.Close()
	over, gone := false, false
	for {
		chunk, err := source.Next()
		if err != nil {
			return dataError(err)
		}
		for _, r := range chunk.Records {
			if err := lines.Handle(r); err != nil {
				return nil // whoever read this has gone
			}
			switch r.(type) {
			case event.Started:
				over = false
			case event.Finished:
				over = true
			}
		}
		switch {
		case chunk.More:
			continue
		case source.Replayed():
			// Another process may follow the end of one.
			if chunk.Ended {
				return nil
			}
		case over:
			return nil
		case gone:
			_ = lines.Close() // with the steps that it still has to tell of
			fmt.Fprintln(out, wording.Lost)
			return nil
		default:
			// The process may have gone without a word: what it had written by then is read
			// in one more round.
			if life, err := source.Life(); err == nil && life == tui.Gone {
				gone = true
				continue
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}
