package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/datasets"
)

func newDataPackCommand() *cobra.Command {
	var split, dir string
	var maxPixels *int64
	pack := &cobra.Command{
		Use:   "pack SPEC --out DIR",
		Short: "Decode a data set once, into files that training reads",
		Long: `Decode a data set once, into a file in DIR for each split, which training then reads: fcnx train --set data.pack=DIR.
train makes what is not there by itself; this makes it beforehand, where train may not write, say. A pack that is there is
read and checked. One that fits its data set is left alone; one that is damaged, or older than a file of the data set, is
made anew.
` + specHelp,
		Args: oneSpec,
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir == "" {
				return usageError(errors.New("no directory to write to; add --out DIR"))
			}
			spec, err := cappedSpec(args[0], *maxPixels)
			if err != nil {
				return err
			}
			splits, err := splitsOf(spec, split)
			if err != nil {
				return err
			}
			return packData(cmd.Context(), cmd.OutOrStdout(), packs{dir: dir, said: "--out", warn: warnTo(cmd.ErrOrStderr()), check: true}, spec, splits)
		},
	}
	pack.Flags().StringVar(&split, "split", "all", "train, val, test, or all that are there")
	pack.Flags().StringVar(&dir, "out", "", "the directory of the files, as `DIR`")
	maxPixels = maxPixelsFlag(pack)
	return pack
}

// packs is where packs are, and who hears of one that is of no use.
type packs struct {
	dir   string
	said  string // by which flag or key
	warn  func(string)
	check bool // all that is in a pack
}

// open opens the pack of a split, or makes it. A file of it stays open until the process
// ends, for a loader's workers may still read when a run is over.
func (p packs) open(ctx context.Context, src datasets.Source, spec, split string, say func(string)) (*datasets.Pack, error) {
	name, err := datasets.PackName(spec, split, 0, 0)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(p.dir + "/."); errors.Is(err, syscall.ENOTDIR) {
		return nil, usageError(fmt.Errorf("%s: %s is no directory, in which packs are kept; name another", p.said, p.dir))
	}
	pack, err := datasets.OpenPack(ctx, src, datasets.PackConfig{Path: filepath.Join(p.dir, name), Check: p.check, Say: say, Warn: p.warn})
	return pack, writeErrorBelow(p.dir, err)
}

func packData(ctx context.Context, out io.Writer, p packs, spec string, splits []string) error {
	bad := 0
	for _, split := range splits {
		src, err := datasets.Open(spec, split)
		if err != nil {
			return specError(err)
		}
		pack, err := p.open(ctx, src, spec, split, func(text string) { fmt.Fprintln(out, text) })
		if err != nil {
			return interrupted(ctx, specError(err), "the pack was not made")
		}
		was := "was there already"
		if pack.Made {
			was = "was made"
		}
		fmt.Fprintf(out, "%s: %d samples, %.2f GB, %s\n", split, pack.Len(), float64(pack.Bytes)/1e9, was)
		bad += pack.Bad
		if err := pack.Close(); err != nil {
			return err
		}
	}
	if bad > 0 {
		return dataError(fmt.Errorf("%d samples cannot be decoded and are not in a pack; `fcnx data check '%s'` lists them", bad, spec))
	}
	return nil
}
