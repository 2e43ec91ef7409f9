package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/control"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

// remembering is a sink that keeps what it is told.
type remembering struct {
	mu   sync.Mutex
	said []string
}

func (m *remembering) Handle(r event.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch r := r.(type) {
	case event.Action:
		m.said = append(m.said, fmt.Sprintf("%d %s by %s: %s", r.Step, r.Name, r.By, r.Text))
	case event.Note:
		m.said = append(m.said, fmt.Sprintf("%d %s", r.Step, r.Level))
	}
	return nil
}

func (m *remembering) Close() error { return nil }

// What is asked between the start of a run and its end is taken up, or told to be too
// late, and nothing is asked twice.
func TestRequests(t *testing.T) {
	dir := t.TempDir()
	ask := func(action, by string) {
		require.NoError(t, control.Ask(dir, control.Request{Action: action, By: by}))
	}
	ask("stop", "one before")
	listener, err := control.Listen(dir, time.Now())
	require.NoError(t, err)
	ask("save", "one who was quick")
	synctest.Test(t, func(t *testing.T) {
		told := new(remembering)
		sinks := &trainSinks{all: sink.NewMulti(told), tell: func(text string) { t.Error(text) }}
		var stderr bytes.Buffer
		ctx, r := hearRequests(t.Context(), listener, sinks, &stderr)
		synctest.Wait()
		requireNext(t, r, "save", "one who was quick")
		requireNext(t, r, "", "")

		sinks.emit(event.Step{Step: 7})
		ask("dance", "b")
		ask("evaluate", "c")
		time.Sleep(hearEvery)
		synctest.Wait()
		requireNext(t, r, "dance", "b")
		requireNext(t, r, "evaluate", "c")
		require.Empty(t, told.said, "it is the loop that tells of these")

		// What cannot be read is told once, and once more when it is something else.
		lost := control.Path(dir) + ".lost"
		require.NoError(t, os.Rename(control.Path(dir), lost))
		require.NoError(t, os.Mkdir(control.Path(dir), 0o777))
		time.Sleep(3 * hearEvery)
		synctest.Wait()
		require.Equal(t, []string{"7 warning"}, told.said)
		require.NoError(t, os.Remove(control.Path(dir)))
		require.NoError(t, os.Rename(lost, control.Path(dir)))
		time.Sleep(hearEvery)
		synctest.Wait()
		require.NoError(t, ctx.Err())

		ask("stop", "d")
		ask("stop", "e")
		time.Sleep(hearEvery)
		synctest.Wait()
		require.EqualError(t, context.Cause(ctx), "asked to stop by d")
		require.Equal(t, "fcnx: asked to stop by d: stopping in good order\n", stderr.String())

		ask("halve_lr", "f")
		ask("stop", "g")
		r.close()
		requireNext(t, r, "", "")
		require.Equal(t, []string{
			"7 warning", "7 stop by d: ", "7 stop by e: it is stopping already",
			"7 stop by g: not done: the run had ended", "7 halve_lr by f: not done: the run had ended",
		}, told.said)
	})
}

func requireNext(t *testing.T, r *requests, action, by string) {
	t.Helper()
	got, ok := r.next()
	require.Equal(t, action != "", ok)
	require.Equal(t, train.Request{Action: action, By: by}, got)
}

// A run that was asked to stop exits as after SIGTERM, whatever it was doing.
func TestAskedToStopIsAnEnding(t *testing.T) {
	cause := &askedToStop{"watch, process 4711 on host"}
	err := trainExit("runs/a", &train.InterruptedError{Progress: train.Progress{Step: 12}, Saved: true, Cause: cause})
	require.EqualError(t, err, "stopped after step 12: asked to stop by watch, process 4711 on host; it is saved, and --resume goes on from there")
	require.Equal(t, exitTerminated, exitCode(err))
	record := finished(train.Progress{Step: 12}, err, time.Second)
	require.Equal(t, event.ReasonInterrupted, record.Reason)

	ctx, stop := context.WithCancelCause(t.Context())
	stop(cause)
	err = interrupted(ctx, fmt.Errorf("drawing: %w", ctx.Err()), "the run is complete")
	require.EqualError(t, err, "asked to stop by watch, process 4711 on host: the run is complete")
	require.Equal(t, exitTerminated, exitCode(err))
	require.False(t, errors.As(err, new(*signalError)))
}
