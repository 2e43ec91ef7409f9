package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

// A warning is told once at the terminal, whatever else writes there, and is in the events in
// any case.
func TestWarningsAreToldOnce(t *testing.T) {
	t.Parallel()
	var told, noted []string
	w := &warnings{tell: func(text string) { told = append(told, text) }}
	var screen bytes.Buffer
	lines := untold{sink.NewPlain(&screen, time.Hour), w}
	handle := func(level, text string) {
		require.NoError(t, lines.Handle(event.Note{Level: level, Text: text}))
	}

	w.warn("before the run")
	w.into(func(text string) {
		noted = append(noted, text)
		handle(event.LevelWarning, text)
	})
	w.warn("in the run")
	require.Equal(t, []string{"before the run", "in the run"}, told)
	require.Equal(t, told, noted)
	require.Empty(t, screen.String())

	handle(event.LevelWarning, "of the loop")
	handle(event.LevelInfo, "in the run")
	require.NoError(t, lines.Handle(event.Saved{Path: "step-1"}))
	require.Contains(t, screen.String(), "of the loop\nin the run\nsaved step-1")
}
