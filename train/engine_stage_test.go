package train

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"testing"

	"github.com/gomlx/go-xla/pjrt"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
)

// streamOf gives out batches, and then err if it is not nil.
func streamOf(batches []*datasets.Batch, err error) Batches {
	return func(context.Context, datasets.Cursor) iter.Seq2[*datasets.Batch, error] {
		return func(yield func(*datasets.Batch, error) bool) {
			for _, b := range batches {
				if !yield(b, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
			}
		}
	}
}

// Steps on staged batches come to the same weights, to the last byte, in the same order; an
// error comes where it would have come; and wherever the stream is left, nothing of it stays
// on the device. It runs alone: no other test may have buffers meanwhile.
func TestStage(t *testing.T) {
	batches := shapesBatches(t, "32x32", 5)
	plain := newEngine(t, headOnly)
	losses := steps(t, plain, batches, 0, 0.05)
	want := take(t, plain)

	e := newEngine(t, headOnly)
	require.NoError(t, e.CompileStep(batches[0], nil)) // takes nothing that is staged
	broken := errors.New("no JPEG")
	at, staged := 0, 0
	var last error
	for b, err := range e.Stage(streamOf(batches, broken))(t.Context(), 0) {
		if last = err; err != nil {
			break
		}
		require.Same(t, batches[at], b)
		if e.staged.inputs[0][0].IsOnAnyDevice() {
			staged++
		}
		r, err := e.Step(b, int64(at), 0.05)
		require.NoError(t, err)
		require.Equal(t, losses[at], r.Loss)
		at++
	}
	require.ErrorIs(t, last, broken)
	require.Equal(t, 5, at)
	require.Equal(t, 5, staged)
	require.Empty(t, want.differ(take(t, e)))

	runtime.GC() // what other tests left to the collector
	runtime.GC()
	alive := pjrt.BuffersAlive()
	for leave := range 5 { // after so many batches, the newest without a step
		n := 0
		for b := range e.Stage(streamOf(batches, nil))(t.Context(), 0) {
			if n == leave {
				break
			}
			n++
			_, err := e.Step(b, int64(n), 0.05)
			require.NoError(t, err)
		}
		require.Equal(t, alive, pjrt.BuffersAlive(), "left after %d", leave)
		require.Nil(t, e.staged.batch)
	}

	// A batch that cannot be brought to the device is an error of its step.
	short := *batches[0]
	short.Labels = short.Labels[:7]
	for b, err := range e.Stage(streamOf([]*datasets.Batch{&short}, nil))(t.Context(), 0) {
		require.NoError(t, err)
		require.Nil(t, e.staged.inputs)
		_, err = e.Step(b, 0, 0.05)
		require.ErrorContains(t, err, "training step")
	}
	require.Equal(t, alive, pjrt.BuffersAlive())
}

// The end of a context ends the stream as it ends that below it.
func TestStageEnds(t *testing.T) {
	e := newEngine(t, headOnly)
	source, err := datasets.Open("shapes?classes=6&n=24&size=32x32", datasets.Train)
	require.NoError(t, err)
	loader, err := datasets.NewLoader(t.Context(), source, datasets.LoaderConfig{Batch: 4, Multiple: 1})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for _, err := range e.Stage(loader.Batches)(ctx, 0) {
		last = err
		if n++; n == 3 {
			cancel()
		}
	}
	require.ErrorIs(t, last, context.Canceled)
	require.LessOrEqual(t, n, 5, "what was staged may still come")
}
