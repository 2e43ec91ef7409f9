package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

// What the records of several processes tell of lost work.
func TestAudit(t *testing.T) {
	started := func(pid int, step int64) event.Started { return event.Started{PID: pid, Step: step} }
	steps := func(from, to int64) (records []event.Record) {
		for s := from; s <= to; s++ {
			records = append(records, event.Step{Step: s})
		}
		return records
	}
	join := func(parts ...any) (records []event.Record) {
		for _, p := range parts {
			switch p := p.(type) {
			case []event.Record:
				records = append(records, p...)
			case event.Record:
				records = append(records, p)
			}
		}
		return records
	}
	interrupted := event.Finished{Reason: event.ReasonInterrupted}
	tests := map[string]struct {
		records []event.Record
		damaged bool
		says    string
	}{
		"one process": {records: join(started(1, 0), steps(1, 9))},
		"killed, within an interval": {
			records: join(started(1, 0), steps(1, 5), event.Saved{Step: 3}, started(2, 3), steps(4, 9))},
		"killed before it said that it had saved": {
			records: join(started(1, 0), steps(1, 5), started(2, 6), steps(7, 9))},
		"stages of one process": {
			records: join(started(1, 0), steps(1, 5), event.Saved{Step: 5}, started(1, 5), steps(6, 9))},
		"saved and lost": {
			records: join(started(1, 0), steps(1, 5), event.Saved{Step: 3}, event.Saved{Step: 5}, started(2, 3), steps(4, 9)),
			says:    "step 5 was reported as saved, and the run went on from step 3"},
		"saved by an earlier process and lost": {
			records: join(started(1, 0), steps(1, 5), event.Saved{Step: 3}, started(2, 3), started(3, 0), steps(1, 9)),
			says:    "step 3 was reported as saved, and the run went on from step 0"},
		"damaged": {damaged: true,
			records: join(started(1, 0), steps(1, 5), event.Saved{Step: 5}, started(2, 1), steps(2, 9))},
		"more than an interval": {
			records: join(started(1, 0), steps(1, 8), started(2, 1), steps(2, 9)),
			says:    "more than 6 steps are lost"},
		"a step lost by one that ended in good order": {
			records: join(started(1, 0), steps(1, 5), interrupted, started(2, 4), steps(5, 9)),
			says:    "had done step 5, and the next one went on from step 4"},
		"ended in good order": {records: join(started(1, 0), steps(1, 5), interrupted, started(2, 5), steps(6, 9))},
		"a step is left out": {
			records: join(started(1, 0), steps(1, 5), steps(7, 9)),
			says:    "step 7 follows step 5"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := audit(test.records, 3, test.damaged)
			if test.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.says)
		})
	}
}
