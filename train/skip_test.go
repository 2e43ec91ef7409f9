package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/event"
)

func bad(name string) *datasets.SampleError {
	return &datasets.SampleError{ID: name, Err: errors.New("gone")}
}

// skipping makes the samples of a run's batches bad: of batch k of a run, counted from
// 0, as many as bads says.
func skipping(w *world, bads map[int]int) {
	batches := w.loop.Train
	w.loop.Train = func(ctx context.Context, from datasets.Cursor) iter.Seq2[*datasets.Batch, error] {
		return func(yield func(*datasets.Batch, error) bool) {
			for b, err := range batches(ctx, from) {
				if b != nil {
					k := int(b.Next)/2 - 1
					b.Epoch = k / 5
					for i := range bads[k] {
						b.Skipped = append(b.Skipped, bad(fmt.Sprintf("%d.%d", k, i)))
					}
				}
				if !yield(b, err) {
					return
				}
			}
		}
	}
}

// heardSteps are the skipped samples and the images of each step.
func heardSteps(w *world) (skipped, images []int) {
	for _, r := range w.said {
		if step, ok := r.(event.Step); ok {
			skipped, images = append(skipped, step.Skipped), append(images, step.Images)
		}
	}
	return skipped, images
}

func TestLoopCountsSkips(t *testing.T) {
	w := newWorld(10)
	skipping(w, map[int]int{1: 1, 4: 2, 5: 2, 9: 1})
	var notes []string
	w.loop.Skips = Skips{Share: 0.3, Train: 10, Val: 6, Note: func(text string) { notes = append(notes, text) }}
	_, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err, "3 of 10 in each epoch")
	skipped, images := heardSteps(w)
	require.Equal(t, []int{0, 1, 0, 0, 2, 2, 0, 0, 0, 1}, skipped)
	require.Equal(t, []int{2, 1, 2, 2, 0, 0, 2, 2, 2, 1}, images)
	require.Equal(t, 6, w.loop.Skips.Total)
	require.Equal(t, []string{
		"skipped, a blank image takes its place: sample 1.0: gone", "skipped, a blank image takes its place: sample 4.0: gone",
		"skipped, a blank image takes its place: sample 4.1: gone", "skipped, a blank image takes its place: sample 5.0: gone",
		"skipped, a blank image takes its place: sample 5.1: gone",
		"more samples cannot be used, and are counted without a word from here on",
	}, notes)
}

// One sample more than the share ends the run, saved, before the step that it is in.
func TestLoopEndsBeyondTheShare(t *testing.T) {
	w := newWorld(10)
	skipping(w, map[int]int{1: 1, 4: 2, 5: 2, 7: 1, 8: 1})
	w.loop.Skips = Skips{Share: 0.3, Train: 10}
	p, err := w.loop.Run(t.Context(), Progress{})
	require.EqualError(t, err, "4 of the 10 training samples could not be used, and data.max_skipped = 0.3 lets 3 be skipped; is the disk still there? The last one: sample 8.0: gone")
	var sample *datasets.SampleError
	require.ErrorAs(t, err, &sample)
	require.EqualValues(t, 8, p.Step)
	require.EqualValues(t, 8, w.kept.Step)
}

// A share of nothing lets nothing pass, not even in a data set of one.
func TestSkippable(t *testing.T) {
	for _, c := range []struct {
		share float64
		n     int
		want  int
	}{{0, 100, 0}, {0.05, 19, 0}, {0.05, 20, 1}, {0.07, 100, 7}, {0.29, 100, 29}, {1, 3, 3}, {0.5, 0, 0}} {
		require.Equal(t, c.want, Skippable(c.share, c.n), "%v of %d", c.share, c.n)
	}
}

// Evaluations have a share of their own, and say how many samples they are short of.
func TestEvaluationsSkip(t *testing.T) {
	pass := func(bads ...int) Pass {
		return func(context.Context) iter.Seq2[*datasets.Batch, error] {
			return func(yield func(*datasets.Batch, error) bool) {
				for k, n := range bads {
					b := &datasets.Batch{N: 4, H: 8, W: 8, Count: 3}
					for range n {
						b.Skipped = append(b.Skipped, bad(fmt.Sprint(k)))
					}
					if !yield(b, nil) {
						return
					}
				}
			}
		}
	}
	w := newWorld(1)
	w.loop.Val, w.loop.Skips = pass(1, 0, 2), Skips{Share: 0.34, Val: 9}
	_, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	var evals []event.Eval
	for _, r := range w.said {
		if e, ok := r.(event.Eval); ok {
			evals = append(evals, e)
		}
	}
	require.Len(t, evals, 1)
	require.Equal(t, []int{6, 3}, []int{evals[0].Samples, evals[0].Skipped})

	w = newWorld(1)
	w.loop.Val, w.loop.Skips = pass(1, 0, 3), Skips{Share: 0.34, Val: 9}
	_, err = w.loop.Run(t.Context(), Progress{})
	require.ErrorContains(t, err, "4 of the 9 validation samples could not be used, and data.max_skipped = 0.34 lets 3 be skipped")
	require.EqualValues(t, 1, w.kept.Step)
}
