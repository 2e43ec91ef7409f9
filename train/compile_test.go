package train

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
)

// compiler compiles until it is told to end, which XLA cannot be told.
type compiler struct {
	*world
	end chan struct{}
}

func (c *compiler) CompileStep(b *datasets.Batch, before Before) error {
	if b.H == 8 {
		return c.world.CompileStep(b, before)
	}
	if err := before("a large step"); err != nil {
		return err
	}
	c.moment("endless")
	<-c.end
	return nil
}

// A stopped run does not wait for a compilation, and has nothing left to save: what it had
// learned was on its way to disk before that began.
func TestStopsWhileItCompiles(t *testing.T) {
	w, d := onDisk(9)
	w.loop.SaveEvery = 0
	w.height = func(step int64) int { return map[int64]int{4: 16}[step] + 8*min(1, int(step%4)) }
	c := &compiler{world: w, end: make(chan struct{})}
	defer close(c.end)
	w.loop.Stepper = c
	ctx, cancel := context.WithCancelCause(t.Context())
	w.moment = both(at("endless", 1, func() { cancel(errAsked) }), at("copy", 1, func() {
		time.AfterFunc(time.Millisecond, func() { d.end <- nil })
	}))
	p, err := w.loop.Run(ctx, Progress{})
	var stopped *InterruptedError
	require.ErrorAs(t, err, &stopped)
	require.ErrorIs(t, err, errAsked)
	require.EqualError(t, err, "stopped after step 3: asked to stop; it is saved, and --resume goes on from there")
	require.Equal(t, int64(3), p.Step)
	require.Equal(t, []int64{3}, d.kept)
	require.Equal(t, "compile training step 2x8x8, train, 1, 2, 3, save, compile a large step, kept 3", w.dialogue())
}

// Where a checkpoint fails, a compilation is not even begun.
func TestDoesNotCompileWhatItCannotKeep(t *testing.T) {
	full := errors.New("no space left on device")
	w := newWorld(2)
	w.loop.Val = nil
	w.height = func(step int64) int { return 8 * int(step) }
	w.fail = func(deed string) error { return map[string]error{"save": full}[deed] }
	_, err := w.loop.Run(t.Context(), Progress{})
	require.EqualError(t, err, "no space left on device")
	require.Equal(t, "compile training step 2x8x8, train, 1, save, compile training step 2x16x8", w.dialogue())
}

// While an engine compiles, from before it is asked whether it may, nobody takes it away.
func TestCloseWhileCompiling(t *testing.T) {
	t.Parallel()
	e, err := NewEngine(onXLA(t), engineConfig(headOnly))
	require.NoError(t, err)
	stop := errors.New("stop")
	err = e.CompileStep(shapesBatches(t, "32x32", 1)[0], func(string) error {
		require.False(t, e.Close())
		return stop
	})
	require.ErrorIs(t, err, stop)
	require.True(t, e.Close())
}
