// Command torture attacks fcnx as it is built: it kills, stops and starves runs of the
// real program, damages what they leave on disk, and holds what comes of it to a run
// that nobody disturbed, byte for byte.
//
//	go run ./bench/torture -fcnx bin/fcnx -out docs/reliability.md
//
// Each fault is a row of the table in docs/reliability.md. The exit code is 0 when
// nothing was lost, and else 1; a try that lost something keeps its directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := torture(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// errLost says that something was lost, and the rows what.
var errLost = errors.New("something was lost: the directories of these tries are kept")

// torture is the program: it tries one fault after the other and writes the table.
func torture(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	var (
		fcnx    = flags.String("fcnx", "bin/fcnx", "the program to attack")
		out     = flags.String("out", "", "the page whose table is written anew; empty: none")
		pattern = flags.String("run", "", "try only the faults whose names match this regular expression")
		seed    = flags.Uint64("seed", uint64(time.Now().UnixNano()), "of all that is random")
		minutes = flags.Float64("minutes", 25, "about how long it may take on two cores; the numbers of tries follow")
		short   = flags.Bool("short", false, "a few tries of each fault, most without XLA")
		dir     = flags.String("dir", "", "where runs are made; empty: in a new directory for temporary files")
	)
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if *out != "" && (*pattern != "" || *short) {
		return errors.New("-out is for all faults at full length: leave out -run and -short")
	}
	var chosen []fault
	for _, f := range faults {
		if wanted.MatchString(f.name) {
			chosen = append(chosen, f)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("-run %s: no fault has a name like that", *pattern)
	}
	b, err := newBench(*fcnx, *dir, *seed, *short, *minutes/25, stdout)
	if err != nil {
		return err
	}

	begin := time.Now()
	fmt.Fprintf(stdout, "seed %d, below %s\n", b.seed, b.dir)
	var rows []row
	lost := 0
	for _, f := range chosen {
		r := b.try(ctx, f)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintln(stdout, r.line())
		rows = append(rows, r)
		lost += r.lost
	}
	if *out != "" {
		if err := writeTable(*out, report{machine: machine(), when: begin, took: time.Since(begin), seed: b.seed, rows: rows}); err != nil {
			return err
		}
	}
	if lost > 0 {
		return errLost
	}
	return os.RemoveAll(b.dir)
}

// newBench takes the program and a directory for its runs.
func newBench(fcnx, dir string, seed uint64, short bool, scale float64, out io.Writer) (*bench, error) {
	path, err := filepath.Abs(fcnx)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("the program to attack: %w; make build", err)
	}
	if dir == "" {
		dir, err = os.MkdirTemp("", "fcnx-torture-")
	} else {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, err
	}
	// A user without rights has to reach what is made for it.
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
		return nil, err
	}
	return &bench{fcnx: path, dir: dir, seed: seed, short: short, scale: scale, out: &lines{w: out}, undisturbed: new(ends)}, nil
}
