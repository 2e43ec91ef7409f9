package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train/control"
	"github.com/fcnx/fcnx/train/event"
)

// What `fcnx stop` reports of the process that it asked, and of no other.
func TestStopReports(t *testing.T) {
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) event.Head {
		return event.Head{Time: since.Add(time.Duration(seconds) * time.Second)}
	}
	before := []event.Record{
		event.Step{Head: at(-9), Step: 3}, event.Finished{Head: at(-8), Step: 3, Reason: event.ReasonInterrupted},
	}
	const saved = "saved       runs/a/step-000000000012\n"
	const goOn = "go on       fcnx train --resume=runs/a\n"
	tests := map[string]struct {
		records []event.Record
		last    string
		want    string
	}{
		"stopped": {[]event.Record{event.Step{Head: at(1), Step: 12}, event.Finished{Head: at(2), Step: 12, Reason: event.ReasonInterrupted}},
			"step-000000000012", "runs/a stopped after step 12\n" + saved + goOn},
		"stopped before there was anything": {[]event.Record{event.Started{Head: at(1)}, event.Finished{Head: at(2), Reason: event.ReasonInterrupted}},
			"", "runs/a stopped before the first step\nnothing was saved\n"},
		"complete": {[]event.Record{event.Step{Head: at(1), Step: 12}, event.Finished{Head: at(2), Step: 12, Reason: event.ReasonDone}},
			"step-000000000012", "runs/a is complete: all 12 steps are done\n" + saved},
		"diverged": {[]event.Record{event.Finished{Head: at(2), Step: 13, Reason: event.ReasonDiverged, Error: "diverged at step 13: the loss is NaN"}},
			"step-000000000012", "runs/a ended by itself after step 13: diverged at step 13: the loss is NaN\n" + saved + goOn},
		"killed": {[]event.Record{event.Step{Head: at(1), Step: 12}, event.Step{Head: at(1), Step: 13}},
			"step-000000000012", "runs/a ended after step 13 without a last word, as if it was killed\n" + saved + goOn},
		"and gone on with": {[]event.Record{event.Finished{Head: at(2), Step: 12, Reason: event.ReasonInterrupted}, event.Started{Head: at(3), Step: 12}, event.Step{Head: at(4), Step: 13}},
			"step-000000000012", "runs/a stopped after step 12\n" + saved + goOn},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			run := &checkpoints.Run{Dir: "runs/a"}
			require.NoError(t, os.MkdirAll(run.Dir, 0o777))
			// More than is read of it, so that the first line is half a record.
			text := new(bytes.Buffer)
			text.WriteString(strings.Repeat(strings.Repeat("x", 1<<20)+"\n", 5) + "not a record\n")
			for _, r := range append(before, test.records...) {
				line, err := event.Marshal(r)
				require.NoError(t, err)
				text.Write(append(line, '\n'))
			}
			text.WriteString(`{"kind":"st`)
			require.NoError(t, os.WriteFile(run.EventsPath(), text.Bytes(), 0o666))
			if test.last != "" {
				require.NoError(t, os.Mkdir(filepath.Join(run.Dir, test.last), 0o777))
				require.NoError(t, os.WriteFile(filepath.Join(run.Dir, "LAST"), []byte("\x1b[2J"), 0o666))
			}
			end, err := lastWords(run.EventsPath(), since, int64(text.Len()))
			require.NoError(t, err)
			var out bytes.Buffer
			printStopped(&out, run, end)
			require.Equal(t, test.want, out.String())
		})
	}

	end, err := lastWords(filepath.Join(t.TempDir(), "events.jsonl"), since, 0)
	require.NoError(t, err)
	require.Zero(t, end, "a process that was killed before its first record")
}

// A clock that was set back while the run went on hides neither its end from whoever
// asked for it, nor what was asked from the run.
func TestStopAfterTheClockWasSetBack(t *testing.T) {
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "events.jsonl")
	put := func(records ...event.Record) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
		require.NoError(t, err)
		defer f.Close()
		for _, r := range records {
			line, err := event.Marshal(r)
			require.NoError(t, err)
			_, err = f.Write(append(line, '\n'))
			require.NoError(t, err)
		}
	}
	put(event.Finished{Head: event.Head{Time: since.Add(-time.Minute)}, Step: 3, Reason: event.ReasonDone},
		event.Step{Head: event.Head{Time: since.Add(time.Minute)}, Step: 12})
	said := sizeOf(path)
	yesterday := since.Add(-24 * time.Hour)
	put(event.Finished{Head: event.Head{Time: yesterday}, Step: 13, Reason: event.ReasonInterrupted})
	end, err := lastWords(path, since, said)
	require.NoError(t, err)
	require.Equal(t, int64(13), end.step)
	require.NotNil(t, end.finished)

	trainer := checkpoints.Holder{Since: since}
	require.Equal(t, since.Add(time.Hour), askedAt(since.Add(time.Hour), trainer))
	dir := t.TempDir()
	listener, err := control.Listen(dir, since)
	require.NoError(t, err)
	require.NoError(t, control.Ask(dir, control.Request{Time: askedAt(yesterday, trainer), Action: event.ActionStop, By: "test"}))
	heard, err := listener.Poll()
	require.NoError(t, err)
	require.Len(t, heard, 1)
	require.Equal(t, event.ActionStop, heard[0].Action)
}
