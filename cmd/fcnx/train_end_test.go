package main

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event"
)

// What ended a run decides its exit code, and both are in its last record.
func TestFinishedSaysWhatTheExitCodeSays(t *testing.T) {
	progress := train.Progress{Step: 12, BestIoU: 0.25, BestStep: 8}
	bad := fmt.Errorf("step 13: %w", &datasets.SampleError{ID: "a", Path: "masks/a.png", Err: errors.New("label 9")})
	full := fmt.Errorf("save checkpoint: %w", errors.Join(&fs.PathError{Op: "write", Path: "runs/a/step-000000000012.tmp/variables.safetensors", Err: syscall.ENOSPC}))
	for _, test := range []struct {
		err    error
		code   int
		reason string
	}{
		{nil, exitDone, event.ReasonDone},
		{&train.DivergedError{Step: 13, What: "the loss is NaN", LastGood: 8}, exitDiverged, event.ReasonDiverged},
		{&train.InterruptedError{Progress: progress, Saved: true, Cause: &signalError{syscall.SIGINT}}, exitInterrupted, event.ReasonInterrupted},
		{&train.InterruptedError{Progress: progress, Cause: &signalError{syscall.SIGTERM}}, exitTerminated, event.ReasonInterrupted},
		{bad, exitBadData, event.ReasonFailed},
		// A sample that is bad, and a disk that is full when the work until then is saved.
		{errors.Join(bad, full), exitUnwritable, event.ReasonFailed},
		{full, exitUnwritable, event.ReasonFailed},
		// The same of a file that is not the run's.
		{syscall.ENOSPC, exitFailure, event.ReasonFailed},
		{&datasets.SampleError{ID: "a", Path: "a.png", Err: &fs.PathError{Op: "read", Path: "a.png", Err: syscall.EIO}}, exitBadData, event.ReasonFailed},
	} {
		record := finished(progress, trainExit("runs/a", test.err), 90*time.Second)
		require.Equal(t, test.code, record.ExitCode, "%v", test.err)
		require.Equal(t, test.reason, record.Reason, "%v", test.err)
		require.Equal(t, test.err != nil, record.Error != "")
		require.Equal(t, int64(12), record.Step)
		require.Equal(t, 90.0, record.Seconds)
		require.Equal(t, event.Float(0.25), *record.BestIoU)
	}
	require.Nil(t, finished(train.Progress{Step: 12}, nil, 0).BestIoU, "a run that was never scored has no best")
}

// Every sample of a padded batch gets its own prediction back, at its own size.
func TestMaskOf(t *testing.T) {
	b := &datasets.Batch{Count: 2, LabelH: 3, LabelW: 4, LabelSizes: []int32{2, 4, 3, 1}}
	masks := make([]uint8, 24)
	for i := range masks {
		masks[i] = uint8(i)
	}
	for i, want := range [][][]uint8{{{0, 1, 2, 3}, {4, 5, 6, 7}}, {{12}, {16}, {20}}} {
		mask := maskOf(b, masks, i)
		require.Equal(t, image.Pt(len(want[0]), len(want)), mask.Rect.Size())
		for y, row := range want {
			for x, label := range row {
				require.Equal(t, label, mask.GrayAt(x, y).Y)
			}
		}
	}
}

func TestOverlayNamesAreNames(t *testing.T) {
	for id, want := range map[string]string{
		"a/b c": "a_b c.png", "../../x": ".._.._x.png", "esc\x1b[2J\n": "esc_[2J_.png", "bytes\xff": "bytes_.png",
		strings.Repeat("n", 300) + "1": strings.Repeat("n", maxOverlayName-1) + "1.png",
	} {
		require.Equal(t, want, overlayName(id))
	}
}
