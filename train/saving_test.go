package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

// disk is a Saver that writes behind the run, and is done when the test says so.
type disk struct {
	w      *world
	begun  []int64 // steps
	kept   []int64
	saving *Saving
	end    chan error // takes how the write at hand ends
	landed bool       // land has ended one
}

func (d *disk) Save(p Progress, _ float64) *Saving {
	_ = d.w.do("copy", 50*time.Millisecond)
	d.begun = append(d.begun, p.Step)
	d.saving = SaveBehind(func() (event.Saved, error) {
		if err := <-d.end; err != nil {
			return event.Saved{}, err
		}
		d.kept = append(d.kept, p.Step)
		return event.Saved{Path: fmt.Sprint("step-", p.Step), Seconds: 9}, nil
	})
	return d.saving
}

// land ends the write at hand, and returns when the run can know of it.
func (d *disk) land(err error) {
	d.end <- err
	<-d.saving.done
	d.landed = true
}

// onDisk is a run that saves every other step, without a validation set.
func onDisk(steps int64) (*world, *disk) {
	w := newWorld(steps)
	d := &disk{w: w, end: make(chan error, 1)}
	w.loop.Val, w.loop.SaveEvery, w.loop.Saver = nil, 2, d
	return w, d
}

// at calls do right before the n-th deed of a kind, counted from 1.
func at(deed string, n int, do func()) func(string) {
	return func(d string) {
		if d == deed {
			if n--; n == 0 {
				do()
			}
		}
	}
}

func both(a, b func(string)) func(string) {
	return func(d string) { a(d); b(d) }
}

// Steps are done while a checkpoint is written, and it is told when it is on disk. Training
// stood still for the copy alone.
func TestSavesBehindTheRun(t *testing.T) {
	w, d := onDisk(6)
	w.moment = both(at("step", 4, func() { d.land(nil) }), both(
		at("step", 6, func() { d.land(nil) }),
		at("copy", 3, func() { time.AfterFunc(time.Millisecond, func() { d.end <- nil }) })))
	_, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	require.Equal(t, "compile training step 2x8x8, train, 1, 2, save, train, 3, 4, kept 2, save, train, 5, 6, kept 4, save, kept 6", w.dialogue())
	require.Equal(t, []int64{2, 4, 6}, d.kept)
	for _, r := range w.said {
		if r, ok := r.(event.Saved); ok {
			require.Equal(t, 0.05, r.HeldSeconds)
			require.Equal(t, 9., r.Seconds)
		}
	}
}

// There is never more than one: a run that is faster than its disk waits.
func TestOneSaveAtATime(t *testing.T) {
	w, d := onDisk(4)
	w.moment = both(at("copy", 2, func() {
		require.Equal(t, []int64{2}, d.kept, "the second is not begun before the first is on disk")
		time.AfterFunc(time.Millisecond, func() { d.end <- nil })
	}), func(deed string) {
		if deed != "now" || len(d.begun) != 1 || d.landed {
			return
		}
		if phase, ok := w.said[len(w.said)-1].(event.Phase); ok && phase.Name == event.PhaseSave && phase.Step > d.begun[0] {
			w.now = w.now.Add(time.Second) // of waiting
			d.land(nil)
		}
	})
	_, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	require.Equal(t, "compile training step 2x8x8, train, 1, 2, save, train, 3, 4, save, kept 2, kept 4", w.dialogue())
}

// A disk that fails for a while costs nothing but a warning. The run tries again in its
// own time, and says when checkpoints are kept again.
func TestPatienceWithADisk(t *testing.T) {
	full := errors.New("no space left on device")
	failsUntil := func(w *world, n int) {
		w.fail = func(deed string) error {
			if deed == "save" {
				if n--; n >= 0 {
					return full
				}
			}
			return nil
		}
	}
	const warning = "no space left on device. The run goes on and tries again every 10s; if that fails for 1m0s, it ends"
	// A step takes 110 ms with its data, a save 2 s.
	t.Run("it has room again", func(t *testing.T) {
		w := newWorld(250)
		w.loop.Val, w.loop.SaveEvery, w.loop.SavePatience = nil, 10, time.Minute
		failsUntil(w, 2)
		_, err := w.loop.Run(t.Context(), Progress{})
		require.NoError(t, err)
		require.Equal(t, []string{warning, "checkpoints are kept again"}, w.notes())
		// The first is due at step 10. The next is tried 10 s later, in the step of 110 ms
		// that ends then, and so is the one that succeeds.
		require.Equal(t, []int64{192, 200, 210, 220, 230, 240, 250}, w.savedSteps())
		require.Equal(t, int64(250), w.kept.Step)
	})
	t.Run("it has not", func(t *testing.T) {
		w := newWorld(2000)
		w.loop.Val, w.loop.SaveEvery, w.loop.SavePatience = nil, 10, time.Minute
		failsUntil(w, 1000)
		p, err := w.loop.Run(t.Context(), Progress{})
		require.ErrorIs(t, err, full)
		require.Equal(t, []string{warning}, w.notes())
		require.Less(t, p.Step, int64(2000))
		require.Zero(t, w.kept)
	})
	t.Run("at the end", func(t *testing.T) {
		w := newWorld(3)
		w.loop.Val, w.loop.SavePatience = nil, time.Minute
		failsUntil(w, 3)
		pauses := 0
		w.loop.Pause = func(_ context.Context, d time.Duration) { pauses++; w.now = w.now.Add(d) }
		_, err := w.loop.Run(t.Context(), Progress{})
		require.NoError(t, err)
		require.Equal(t, 3, pauses)
		require.Equal(t, int64(3), w.kept.Step)
	})
	t.Run("at the end, for too long", func(t *testing.T) {
		w := newWorld(3)
		w.loop.Val, w.loop.SavePatience = nil, time.Minute
		failsUntil(w, 1000)
		w.loop.Pause = func(_ context.Context, d time.Duration) { w.now = w.now.Add(d) }
		_, err := w.loop.Run(t.Context(), Progress{})
		require.ErrorIs(t, err, full)
	})
	t.Run("who is asked to stop has none", func(t *testing.T) {
		w := newWorld(3)
		w.loop.Val, w.loop.SavePatience = nil, time.Minute
		failsUntil(w, 1000)
		ctx, cancel := context.WithCancelCause(t.Context())
		w.loop.Pause = func(context.Context, time.Duration) { cancel(errAsked) }
		_, err := w.loop.Run(ctx, Progress{})
		require.ErrorIs(t, err, full)
		require.NotErrorIs(t, err, errAsked)
	})
}

// notes are the texts of what was noted.
func (w *world) notes() []string {
	var texts []string
	for _, r := range w.said {
		if n, ok := r.(event.Note); ok {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

func (w *world) savedSteps() []int64 {
	var steps []int64
	for _, r := range w.said {
		if s, ok := r.(event.Saved); ok {
			steps = append(steps, s.Step)
		}
	}
	return steps
}

// A run that is stopped waits for what is under way. If that fails, all there is by now is
// tried once more.
func TestStopsWhileItSaves(t *testing.T) {
	for name, test := range map[string]struct {
		first error
		kept  []int64
	}{
		"it succeeds": {nil, []int64{2, 3}},
		"it fails":    {errors.New("no space left on device"), []int64{3}},
	} {
		t.Run(name, func(t *testing.T) {
			w, d := onDisk(9)
			ctx, cancel := context.WithCancelCause(t.Context())
			w.moment = both(at("step", 3, func() {
				cancel(errAsked)
				time.AfterFunc(time.Millisecond, func() { d.end <- test.first })
			}), at("copy", 2, func() { time.AfterFunc(time.Millisecond, func() { d.end <- nil }) }))
			p, err := w.loop.Run(ctx, Progress{})
			require.ErrorIs(t, err, errAsked)
			require.Equal(t, int64(3), p.Step)
			require.Equal(t, []int64{2, 3}, d.begun)
			require.Equal(t, test.kept, d.kept)
		})
	}
}

// A loss that is NaN leaves the checkpoint alone that is on its way, and names it.
func TestDivergesWhileItSaves(t *testing.T) {
	w, d := onDisk(9)
	w.moment = at("step", 3, func() { time.AfterFunc(time.Millisecond, func() { d.end <- nil }) })
	w.fail = func(deed string) error {
		if deed == "step" && w.begun == 3 {
			return lossIs(math.NaN())
		}
		return nil
	}
	_, err := w.loop.Run(t.Context(), Progress{})
	require.ErrorContains(t, err, "diverged at step 3: the loss is NaN; the last good checkpoint is that of step 2")
	require.True(t, strings.HasSuffix(w.dialogue(), "3, kept 2"), w.dialogue())
}

// Bad numbers that are found while a checkpoint is written are those of its step.
func TestDivergedWhatIsSaved(t *testing.T) {
	w, d := onDisk(9)
	w.moment = at("step", 3, func() { d.land(&DivergedError{What: "fc6/bias holds NaN or Inf"}) })
	p, err := w.loop.Run(t.Context(), Progress{})
	require.ErrorContains(t, err, "diverged at step 2: fc6/bias holds NaN or Inf; try")
	require.Equal(t, int64(3), p.Step)
	require.Equal(t, []int64{2}, d.begun)
}

// A step that fails spoils the weights, but not the checkpoint that is on its way: the run
// does not end before that is on disk, or tells that it is not.
func TestStepFailsWhileItSaves(t *testing.T) {
	broken, full := errors.New("out of memory"), errors.New("no space left on device")
	for name, test := range map[string]struct {
		save error
		kept []int64
	}{
		"it succeeds": {nil, []int64{2}},
		"it fails":    {full, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, d := onDisk(9)
			w.moment = at("step", 3, func() { time.AfterFunc(time.Millisecond, func() { d.end <- test.save }) })
			w.fail = func(deed string) error {
				if deed == "step" && w.begun == 3 {
					return broken
				}
				return nil
			}
			_, err := w.loop.Run(t.Context(), Progress{})
			require.ErrorIs(t, err, broken)
			require.Equal(t, test.save != nil, errors.Is(err, full))
			require.Equal(t, test.kept, w.savedKept(d))
		})
	}
}

// savedKept are the steps on disk, if the run has told of just these.
func (w *world) savedKept(d *disk) []int64 {
	if !slices.Equal(w.savedSteps(), d.kept) {
		return []int64{-1}
	}
	return d.kept
}

// While checkpoints fail, the next try is one like any other: training does not stand still
// for it, however long it takes.
func TestTriesAgainBehindTheRun(t *testing.T) {
	w, d := onDisk(8)
	w.loop.SavePatience = time.Minute
	w.moment = both(
		at("step", 3, func() { d.land(errors.New("no space left on device")); w.now = w.now.Add(time.Second) }),
		both(at("step", 4, func() { w.now = w.now.Add(saveAgain) }), both(
			at("step", 7, func() { d.land(nil) }),
			func(string) {
				if len(d.begun) == 3 && len(d.kept) == 1 {
					d.land(nil)
				}
			})))
	_, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	require.Equal(t, []int64{2, 4, 8}, d.begun)
	require.Equal(t, "compile training step 2x8x8, train, 1, 2, save, train, 3, 4, save, train, 5, 6, 7, kept 4, 8, save, kept 8", w.dialogue())
}
