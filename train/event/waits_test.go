package event_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

func TestWaits(t *testing.T) {
	var w event.Waits
	_, known := w.Share()
	require.False(t, known)
	for _, r := range []event.Record{
		event.Started{}, event.Step{DataMS: 500, StepMS: 500}, // the first of a process
		event.Step{DataMS: 1, StepMS: 99}, event.Eval{Seconds: 9}, event.Step{DataMS: 9, StepMS: 91},
		event.Started{Resumed: true}, event.Step{DataMS: 500, StepMS: 500}, event.Step{DataMS: 20, StepMS: 180},
		event.Step{DataMS: math.NaN(), StepMS: 1}, event.Step{DataMS: 1, StepMS: math.Inf(1)}, event.Step{DataMS: -1, StepMS: 1},
	} {
		w.Add(r)
	}
	share, known := w.Share()
	require.True(t, known)
	require.InDelta(t, 30.0/400, share, 1e-12)
}
