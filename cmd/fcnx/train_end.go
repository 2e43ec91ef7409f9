package main

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/predict"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/train/score"
)

// overlayCount is how many validation samples are drawn at the end of a run.
const overlayCount = 4

// maxOverlayName leaves room for the extension in the 255 bytes of a file's name.
const maxOverlayName = 200

// finished is the last record of this process.
func finished(p train.Progress, err error, took time.Duration) event.Finished {
	record := event.Finished{
		Head: event.Head{Time: time.Now()}, Step: p.Step, Reason: event.ReasonDone,
		ExitCode: exitCode(err), Seconds: took.Seconds(),
	}
	if p.BestStep > 0 {
		best := event.Float(p.BestIoU)
		record.BestIoU, record.BestStep = &best, p.BestStep
	}
	if err != nil {
		record.Error = err.Error()
		record.Reason = event.ReasonFailed
		switch record.ExitCode {
		case exitDiverged:
			record.Reason = event.ReasonDiverged
		case exitInterrupted, exitTerminated:
			record.Reason = event.ReasonInterrupted
		}
	}
	return record
}

// drawOverlays shows on a few samples what the run, which is complete and saved, has
// learned. Where they cannot be drawn that is a warning, unless it was ctx's end.
func drawOverlays(ctx context.Context, engine *train.Engine, run *trainRun, warn func(string)) ([]string, error) {
	paths, err := writeOverlays(ctx, engine, run)
	if err != nil && ctx.Err() == nil {
		warn(fmt.Sprintf("the run is complete, but its overlays are not: %v", err))
		err = nil
	}
	return paths, interrupted(ctx, err, "the run is complete and saved, only its overlays are not")
}

// writeOverlays draws image, truth and prediction of the first validation samples
// side by side, into overlays/ of the run directory.
func writeOverlays(ctx context.Context, engine *train.Engine, run *trainRun) ([]string, error) {
	dir := filepath.Join(run.Dir, "overlays")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	var paths []string
	for b, err := range run.data.val.Pass(ctx) {
		if err != nil {
			return nil, err
		}
		// By the graph of evaluation, which has been compiled.
		scored, err := engine.Eval(b, score.New(len(run.data.classes)), true)
		if err != nil {
			return nil, err
		}
		for i := 0; i < b.Count && len(paths) < overlayCount; i++ {
			if b.Indices[i] < 0 {
				continue // it was skipped
			}
			sample, err := run.data.samples.At(b.Indices[i])
			if err != nil {
				return nil, err
			}
			strip := predict.Strip(sample.Image, sample.Label, maskOf(b, scored.Masks, i), run.data.classes)
			path := filepath.Join(dir, overlayName(sample.ID))
			if err := checkpoints.ReplaceFile(path, func(f *os.File) error { return png.Encode(f, strip) }); err != nil {
				return nil, err
			}
			paths = append(paths, path)
		}
		if len(paths) >= overlayCount {
			break
		}
	}
	return paths, ctx.Err()
}

// overlayName is the name of a sample's overlay: its ID, which can hold anything, as a
// file that every program can open.
func overlayName(id string) string {
	id = strings.Map(func(r rune) rune {
		if r == '/' || r == utf8.RuneError || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, id)
	for len(id) > maxOverlayName {
		_, first := utf8.DecodeRuneInString(id)
		id = id[first:] // the end tells files of one directory apart
	}
	return id + ".png"
}

// maskOf cuts sample i's prediction out of those of a batch.
func maskOf(b *datasets.Batch, masks []uint8, i int) *image.Gray {
	h, w := int(b.LabelSizes[2*i]), int(b.LabelSizes[2*i+1])
	all := &image.Gray{Pix: masks[i*b.LabelH*b.LabelW:][:b.LabelH*b.LabelW], Stride: b.LabelW, Rect: image.Rect(0, 0, b.LabelW, b.LabelH)}
	return all.SubImage(image.Rect(0, 0, w, h)).(*image.Gray)
}

// printEnd is the result of a run: the last evaluation class by class, and where
// everything is.
func printEnd(w io.Writer, run *trainRun, p train.Progress, last *train.Result, overlays []string) {
	if last != nil {
		_ = last.Confusion.Table(w, classNames(run.data.classes))
	} else {
		fmt.Fprintf(w, "all %d steps were done before\n", p.Step)
	}
	fmt.Fprintf(w, "\nbest mean IoU %.3f at step %d%s\n", p.BestIoU, p.BestStep, run.stages.at(p.BestStep))
	fmt.Fprintf(w, "run         %s\n", run.Dir)
	if len(overlays) > 0 {
		fmt.Fprintf(w, "overlays    %s (image, truth, prediction)\n", filepath.Join(run.Dir, "overlays"))
	}
}

// printDataWait says how long training waited for data, and what helps where that is much.
func printDataWait(w io.Writer, share float64) {
	fmt.Fprintf(w, "data wait   %s\n", wording.DataWait(share))
}
