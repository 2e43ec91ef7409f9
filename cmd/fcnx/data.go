package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/datasets"
)

func newDataCommand() *cobra.Command {
	data := &cobra.Command{
		Use:   "data",
		Short: "Check and look at a data set",
		// Not inherited from the root.
		SuggestionsMinimumDistance: 2,
		Args:                       noSuchCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	data.AddCommand(newDataCheckCommand(), newDataShowCommand(), newDataPackCommand())
	return data
}

const specHelp = `
SPEC is kind:DIR, with options behind a question mark (quote it in a shell):
  shapes                     generated: 'shapes?n=2000&val_n=100&size=96x96&seed=0&classes=7'
  folder:DIR                 images/ and masks/, or those in train/, val/ and test/:
                             'folder:DIR?val=0.1' holds out a tenth, '?classes=N' does not search the masks
  camvid:DIR                 train/ trainannot/ val/ valannot/ of the SegNet tutorial
  voc:DIR                    JPEGImages/ SegmentationClass/ ImageSets/ of VOC2012: 'voc:DIR?train=trainval', '?val=seg11valid'
Files can have ?max_pixels=N, the largest image that is decoded, and ?exif=apply or ?exif=ignore: whether images are
turned as their EXIF orientation says.`

func newDataCheckCommand() *cobra.Command {
	var split string
	var asJSON bool
	var maxPixels *int64
	check := &cobra.Command{
		Use:   "check SPEC",
		Short: "Read every image and mask, and list what cannot be used",
		Long:  "Read every image and mask, list what cannot be used, and count the classes.\nThe exit code is 4 if anything is wrong.\n" + specHelp,
		Args:  oneSpec,
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := cappedSpec(args[0], *maxPixels)
			if err != nil {
				return err
			}
			splits, err := splitsOf(spec, split)
			if err != nil {
				return err
			}
			return checkData(cmd.Context(), cmd.OutOrStdout(), spec, splits, asJSON)
		},
	}
	check.Flags().StringVar(&split, "split", "all", "train, val, test, or all that are there")
	check.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	maxPixels = maxPixelsFlag(check)
	return check
}

func newDataShowCommand() *cobra.Command {
	var split, out string
	var n int
	var maxPixels *int64
	show := &cobra.Command{
		Use:   "show SPEC --out FILE.png",
		Short: "Draw a contact sheet of images and their labels",
		Long:  "Draw a contact sheet: samples spread over the split, each beside itself under its labels.\n" + specHelp,
		Args:  oneSpec,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case out == "":
				return usageError(errors.New("no file to write to; add --out FILE.png"))
			case n < 1 || n > 400:
				return usageError(fmt.Errorf("--n %d: a sheet has 1 to 400 samples", n))
			}
			if err := checkSplit(split, "train, val or test"); err != nil {
				return err
			}
			spec, err := cappedSpec(args[0], *maxPixels)
			if err != nil {
				return err
			}
			return showData(cmd.OutOrStdout(), spec, split, n, out)
		},
	}
	show.Flags().StringVar(&split, "split", datasets.Train, "train, val or test")
	show.Flags().IntVar(&n, "n", 8, "how many samples")
	show.Flags().StringVar(&out, "out", "", "the PNG file to write")
	maxPixels = maxPixelsFlag(show)
	return show
}

// splitsOf are the splits that a --split names.
func splitsOf(spec, split string) ([]string, error) {
	if split != "all" {
		return []string{split}, checkSplit(split, "train, val, test or all")
	}
	splits, err := datasets.Splits(spec)
	return splits, specError(err)
}

// checkSplit checks the value of a --split, for which there may be these.
func checkSplit(split, there string) error {
	if !slices.Contains([]string{datasets.Train, datasets.Val, datasets.Test}, split) {
		return usageError(fmt.Errorf("--split %q: %s", split, there))
	}
	return nil
}

// cappedSpec is the SPEC with the value of maxPixelsFlag.
func cappedSpec(spec string, maxPixels int64) (string, error) {
	if err := checkMaxPixels(maxPixels); err != nil {
		return "", err
	}
	spec, err := datasets.CapPixels(spec, maxPixels)
	return spec, specError(err)
}

func oneSpec(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return usageError(fmt.Errorf("one SPEC is needed, like shapes or folder:DIR, not %d; see `%s --help`", len(args), cmd.CommandPath()))
}

// specError tells a spec that is written wrong from data that is.
func specError(err error) error {
	var wrong *datasets.SpecError
	if errors.As(err, &wrong) {
		return usageError(err)
	}
	return dataError(err)
}

// splitReport is what `data check --json` says of a split.
type splitReport struct {
	Split         string        `json:"split"`
	Samples       int           `json:"samples"`
	Bad           int           `json:"bad"`
	Digest        string        `json:"digest"`
	Sizes         []sizeReport  `json:"sizes"`
	Classes       []classReport `json:"classes"`
	IgnoredPixels int64         `json:"ignored_pixels"`
	// Oriented counts images with an EXIF orientation, where ?exif= says nothing of it.
	Oriented int            `json:"exif_oriented"`
	Problems []problemEntry `json:"problems"`
}

type sizeReport struct {
	Height int `json:"height"`
	Width  int `json:"width"`
	Images int `json:"images"`
}

type classReport struct {
	Name      string  `json:"name"`
	Pixels    int64   `json:"pixels"`
	Frequency float64 `json:"frequency"` // share of the labelled pixels
	Images    int64   `json:"images"`
}

type problemEntry struct {
	ID    string `json:"id"`
	Path  string `json:"path,omitempty"`
	Error string `json:"error"`
}

// checkData checks split by split and prints problems as they are found.
func checkData(ctx context.Context, out io.Writer, spec string, splits []string, asJSON bool) error {
	bad := 0
	var unusable error
	reports := []splitReport{}
	for _, split := range splits {
		src, err := datasets.Open(spec, split)
		if err != nil {
			return specError(err)
		}
		problems := []problemEntry{}
		summary, err := datasets.Check(ctx, src, true, func(p *datasets.SampleError) {
			if asJSON {
				problems = append(problems, problemEntry{p.ID, p.Path, p.Err.Error()})
			} else {
				fmt.Fprintf(out, "%s: %s\n", split, harmless(p.Error()))
			}
		})
		if err != nil {
			return err
		}
		bad += summary.Bad
		if bad == 0 {
			unusable = cmp.Or(unusable, whyUnusable(spec, split, summary))
		}
		report := newSplitReport(split, src, summary)
		report.Problems = problems
		reports = append(reports, report)
		if !asJSON {
			report.print(out)
		}
	}
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(map[string]any{"spec": spec, "bad": bad, "splits": reports}); err != nil {
			return err
		}
	}
	if bad > 0 {
		return dataError(fmt.Errorf("%s: %d bad samples; mend or remove them before training", spec, bad))
	}
	return dataError(unusable)
}

// noSamples is the error of a split that is there, and empty.
func noSamples(spec, split string) error {
	return fmt.Errorf("%s: there are no samples in %s", spec, split)
}

// whyUnusable is what may be wrong with a split of which every sample is right.
func whyUnusable(spec, split string, summary datasets.Summary) error {
	labelled := slices.ContainsFunc(summary.Labels.Pixels, func(n int64) bool { return n > 0 })
	switch {
	case summary.Samples == 0:
		return noSamples(spec, split)
	case !labelled:
		return fmt.Errorf("%s: no pixel of %s has a label that counts: all masks are %d", spec, split, datasets.Ignore)
	}
	return nil
}

func newSplitReport(split string, src datasets.Source, summary datasets.Summary) splitReport {
	report := splitReport{
		Split: split, Samples: summary.Samples, Bad: summary.Bad, Digest: datasets.Digest(src),
		Sizes: []sizeReport{}, Classes: []classReport{}, IgnoredPixels: summary.Labels.Ignored,
		Oriented: summary.Doubtful,
	}
	// The most frequent size first.
	for _, size := range slices.SortedFunc(maps.Keys(summary.Sizes), func(a, b [2]int) int {
		return cmp.Or(summary.Sizes[b]-summary.Sizes[a], a[0]-b[0], a[1]-b[1])
	}) {
		report.Sizes = append(report.Sizes, sizeReport{size[0], size[1], summary.Sizes[size]})
	}
	frequency := summary.Labels.Frequency()
	for i, class := range src.Classes() {
		report.Classes = append(report.Classes, classReport{class.Name, summary.Labels.Pixels[i], frequency[i], summary.Labels.Images[i]})
	}
	return report
}

func (r splitReport) print(out io.Writer) {
	var sizes []string
	for i, s := range r.Sizes {
		if i == 4 {
			sizes = append(sizes, fmt.Sprintf("and %d other sizes", len(r.Sizes)-i))
			break
		}
		sizes = append(sizes, fmt.Sprintf("%d of %dx%d", s.Images, s.Height, s.Width))
	}
	fmt.Fprintf(out, "%s: %d samples, %d bad\n", r.Split, r.Samples, r.Bad)
	if len(sizes) > 0 {
		fmt.Fprintf(out, "  sizes (height x width): %s\n", strings.Join(sizes, ", "))
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "label\tclass\tpixels\tshare\timages\t")
	labelled := int64(0)
	for i, c := range r.Classes {
		fmt.Fprintf(table, "%d\t%s\t%d\t%.2f%%\t%d\t\n", i, harmless(c.Name), c.Pixels, 100*c.Frequency, c.Images)
		labelled += c.Pixels
	}
	table.Flush()
	fmt.Fprintf(out, "  %.2f%% of the pixels are ignored (label %d)\n", 100*float64(r.IgnoredPixels)/float64(max(1, labelled+r.IgnoredPixels)), datasets.Ignore)
	if r.Oriented > 0 {
		fmt.Fprintf(out, "  %s\n", doubtfulText(r.Oriented, r.Samples, r.Split))
	}
}

// showData writes the sheet under another name first, so that a failure leaves
// the old file.
func showData(out io.Writer, spec, split string, n int, path string) error {
	src, err := datasets.Open(spec, split)
	if err != nil {
		return specError(err)
	}
	n = min(n, src.Len())
	if n == 0 {
		return dataError(noSamples(spec, split))
	}
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i * src.Len() / n
	}
	sheet, err := datasets.ContactSheet(src, indices, 192)
	if err != nil {
		return dataError(fmt.Errorf("%w; `fcnx data check` lists all that is wrong", err))
	}
	file, err := os.Create(path + ".tmp")
	if err != nil {
		return writeError(err)
	}
	defer os.Remove(file.Name())
	if err := errors.Join(png.Encode(file, sheet), file.Close()); err != nil {
		return writeError(err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return writeError(err)
	}
	fmt.Fprintf(out, "%s: %d of %d samples of %s\n", path, n, src.Len(), split)
	return nil
}
