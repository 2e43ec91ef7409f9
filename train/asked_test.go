package train

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

// asks makes w's run hear actions once that many steps were done, from this world or
// the one it goes on from.
func (w *world) asks(after int64, actions ...string) {
	from := w.kept.Step
	var queue []Request
	for _, action := range actions {
		queue = append(queue, Request{action, "me"})
	}
	before := w.loop.Asked
	w.loop.Asked = func() (Request, bool) {
		w.moment("asked")
		if before != nil {
			if r, ok := before(); ok {
				return r, true
			}
		}
		if len(queue) == 0 || from+int64(w.begun) < after {
			return Request{}, false
		}
		r := queue[0]
		queue = queue[1:]
		return r, true
	}
}

// answers are the actions among what was said.
func (w *world) answers() []string {
	var lines []string
	for _, r := range w.said {
		if a, ok := r.(event.Action); ok {
			lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%d %s: %s", a.Step, a.Name, a.Text), ": "))
		}
	}
	return lines
}

// rates are the learning rates of the steps that were said, times their number:
// newWorld's schedule is 1/step.
func rates(records []event.Record) []float64 {
	var scales []float64
	for _, r := range records {
		if s, ok := r.(event.Step); ok {
			scales = append(scales, s.LR*float64(s.Step))
		}
	}
	return scales
}

func TestLoopAnswers(t *testing.T) {
	const compiles = "compile training step 2x8x8, train"
	tests := map[string]struct {
		set      func(*world)
		answers  []string
		dialogue string
	}{
		"nobody asks": {func(w *world) { w.asks(1) }, nil,
			compiles + ", 1, 2, 3, 4, " + firstEval(4) + ", scored 4*, save, kept 4"},
		"a checkpoint": {func(w *world) { w.asks(2, "save") }, []string{"2 save"},
			compiles + ", 1, 2, save, kept 2, train, 3, 4, " + firstEval(4) + ", scored 4*, save, kept 4"},
		"a checkpoint, twice": {func(w *world) { w.asks(2, "save", "save") }, []string{"2 save", "2 save: step 2 is saved already"},
			compiles + ", 1, 2, save, kept 2, train, 3, 4, " + firstEval(4) + ", scored 4*, save, kept 4"},
		"a checkpoint where there is one": {func(w *world) { w.loop.SaveEvery = 2; w.asks(2, "save") }, []string{"2 save: step 2 is saved already"},
			compiles + ", 1, 2, save, kept 2, train, 3, 4, " + firstEval(4) + ", scored 4*, save, kept 4"},
		"a checkpoint of a rate that was changed after the last one": {func(w *world) { w.loop.SaveEvery = 2; w.asks(2, "halve_lr", "save") },
			[]string{"2 halve_lr: learning rate 0.5 times the schedule's from here on", "2 save"},
			compiles + ", 1, 2, save, kept 2, kept 2, train, 3, 4, " + firstEval(4) + ", scored 4*, save, kept 4"},
		"an evaluation": {func(w *world) { w.asks(2, "evaluate") }, []string{"2 evaluate"},
			compiles + ", 1, 2, " + firstEval(2) + ", scored 2*, save, kept 2, train, 3, 4, eval, scored 4*, save, kept 4"},
		"an evaluation, twice, and a checkpoint": {func(w *world) { w.asks(2, "evaluate", "evaluate", "save") },
			[]string{"2 evaluate", "2 evaluate: step 2 was evaluated already", "2 save: step 2 is saved already"},
			compiles + ", 1, 2, " + firstEval(2) + ", scored 2*, save, kept 2, train, 3, 4, eval, scored 4*, save, kept 4"},
		"an evaluation where there was one": {func(w *world) { w.loop.EvalEvery = 2; w.asks(2, "evaluate") },
			[]string{"2 evaluate: step 2 was evaluated already"},
			compiles + ", 1, 2, " + firstEval(2) + ", scored 2*, save, kept 2, train, 3, 4, eval, scored 4*, save, kept 4"},
		"an evaluation of a run that is never scored": {func(w *world) { w.loop.Val = nil; w.asks(2, "evaluate") },
			[]string{"2 evaluate: not done: the run has no validation set"},
			compiles + ", 1, 2, 3, 4, save, kept 4"},
		"what nobody knows": {func(w *world) { w.asks(1, "dance", "save") },
			[]string{"1 dance: not done: this version of fcnx does not know what that is", "1 save"},
			compiles + ", 1, save, kept 1, train, 2, 3, 4, " + firstEval(4) + ", scored 4*, save, kept 4"},
		"before the first step": {func(w *world) { w.asks(0, "evaluate") }, []string{"1 evaluate"},
			compiles + ", 1, " + firstEval(1) + ", scored 1*, save, kept 1, train, 2, 3, 4, eval, scored 4*, save, kept 4"},
		"after the last step": {func(w *world) { w.asks(4, "save", "evaluate", "halve_lr") },
			[]string{"4 save: step 4 is saved already", "4 evaluate: step 4 was evaluated already", "4 halve_lr: learning rate 0.5 times the schedule's from here on"},
			compiles + ", 1, 2, 3, 4, " + firstEval(4) + ", scored 4*, save, kept 4, kept 4"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(4)
			test.set(w)
			progress, err := w.loop.Run(t.Context(), Progress{})
			require.NoError(t, err)
			require.Equal(t, test.answers, w.answers())
			require.Equal(t, test.dialogue, w.dialogue())
			require.Equal(t, progress, w.kept)
			for _, r := range w.said {
				if a, ok := r.(event.Action); ok {
					require.Equal(t, "me", a.By)
					require.False(t, a.Time.IsZero())
				}
			}
		})
	}
}

func TestLoopHalvesTheRate(t *testing.T) {
	w := newWorld(6)
	w.asks(2, "halve_lr")
	w.asks(4, "halve_lr", "halve_lr")
	progress, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	require.Equal(t, []float64{1, 1, 0.5, 0.5, 0.125, 0.125}, rates(w.said))
	require.Equal(t, 0.125, progress.RateScale)
	require.Equal(t, []string{
		"2 halve_lr: learning rate 0.5 times the schedule's from here on",
		"4 halve_lr: learning rate 0.25 times the schedule's from here on",
		"4 halve_lr: learning rate 0.125 times the schedule's from here on",
	}, w.answers())

	// It never becomes nothing.
	w = newWorld(2)
	w.asks(1, slices.Repeat([]string{"halve_lr"}, 22)...)
	_, err = w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	require.Equal(t, []float64{1, minRateScale}, rates(w.said))
	require.Equal(t, "1 halve_lr: not done: the learning rate is 9.5e-07 times the schedule's already", w.answers()[21])
}

// A requested checkpoint or evaluation that fails ends the run like any other.
func TestLoopAnswersInTrouble(t *testing.T) {
	for _, deed := range []string{"save", "eval"} {
		w := newWorld(4)
		w.asks(2, "evaluate")
		w.fail = func(d string) error { return map[string]error{deed: errAsked}[d] }
		p, err := w.loop.Run(t.Context(), Progress{})
		require.ErrorIs(t, err, errAsked)
		require.Equal(t, int64(2), p.Step, deed)
	}
}

// A run that is stopped does for those who asked meanwhile what needs no time, and
// tells the others. One that has nothing to keep leaves them all to its caller.
func TestLoopStopsWhileAsked(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	w := newWorld(4)
	w.fail = func(deed string) error {
		if deed == "step" && w.begun == 2 {
			cancel(errAsked)
		}
		return nil
	}
	w.asks(2, "save", "evaluate", "halve_lr", "dance")
	p, err := w.loop.Run(ctx, Progress{})
	require.ErrorIs(t, err, errAsked)
	require.Equal(t, []string{
		"2 save", "2 evaluate: not done: the run ends here", "2 halve_lr: learning rate 0.5 times the schedule's from here on",
		"2 dance: not done: this version of fcnx does not know what that is",
	}, w.answers())
	require.Equal(t, Progress{Step: 2, Cursor: 4, RateScale: 0.5}, p)
	require.Equal(t, p, w.kept)

	w = newWorld(4)
	w.asks(0, "halve_lr")
	p, err = w.loop.Run(ctx, Progress{})
	require.ErrorIs(t, err, errAsked)
	require.Zero(t, p)
	require.Empty(t, w.answers())
	_, left := w.loop.Asked()
	require.True(t, left)
}

// The checkpoint with which a stage begins is of the stage before, and stays so: a
// stage that is stopped before its first step keeps nothing, whoever asks. One that has
// gone on from it does.
func TestLoopKeepsTheCheckpointBetweenStages(t *testing.T) {
	for from, kept := range map[int64]bool{2: false, 1: true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errAsked)
		w := newWorld(4)
		w.loop.From = from
		w.asks(0, "halve_lr")
		p, err := w.loop.Run(ctx, Progress{Step: 2, Cursor: 4, Evaluated: 2})
		require.EqualError(t, err, "stopped after step 2: asked to stop; it is saved, and --resume goes on from there")
		if kept {
			require.Equal(t, Progress{Step: 2, Cursor: 4, Evaluated: 2, RateScale: 0.5}, p)
			require.Equal(t, p, w.kept)
			continue
		}
		require.Equal(t, Progress{Step: 2, Cursor: 4, Evaluated: 2}, p)
		require.Zero(t, w.kept)
		_, left := w.loop.Asked()
		require.True(t, left)
	}
}

// An evaluation that was begun because somebody asked, and that a stop breaks off, is
// not done, and is told so.
func TestLoopStopsInAskedEvaluation(t *testing.T) {
	for _, deed := range []string{"val data", "compile", "eval"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		w := newWorld(4)
		w.asks(2, "evaluate")
		w.fail = func(d string) error {
			if d == deed && len(w.answers()) > 0 {
				cancel(errAsked)
			}
			return nil
		}
		p, err := w.loop.Run(ctx, Progress{})
		require.ErrorIs(t, err, errAsked)
		require.Equal(t, []string{"2 evaluate", "2 evaluate: not done: the run ends here"}, w.answers(), deed)
		require.Equal(t, Progress{Step: 2, Cursor: 4}, p)
		require.Equal(t, p, w.kept)
	}

	// One that was whole when the stop came stands.
	ctx, cancel := context.WithCancelCause(t.Context())
	w := newWorld(4)
	w.asks(2, "evaluate")
	w.fail = func(d string) error {
		if d == "save" && w.kept.Step == 2 { // the one before the compiler is there already
			cancel(errAsked)
		}
		return nil
	}
	_, err := w.loop.Run(ctx, Progress{})
	require.ErrorIs(t, err, errAsked)
	require.Equal(t, []string{"2 evaluate"}, w.answers())
}

// A run whose rate was halved can be stopped at any moment too, and goes on with the
// rate of a run that was never stopped.
func TestLoopStopsAnywhereAfterHalving(t *testing.T) {
	halved := func(w *world) *world {
		w.asks(4, "halve_lr")
		return w
	}
	whole := halved(longRun())
	moments := 0
	whole.moment = func(string) { moments++ }
	end, err := whole.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	require.Equal(t, 0.5, end.RateScale)
	require.Equal(t, []float64{1, 1, 1, 1, .5, .5, .5, .5, .5, .5, .5}, rates(whole.said))

	for n := range moments {
		first := halved(longRun())
		_, after, err := first.stopAt(t.Context(), n)
		if err == nil {
			require.Equal(t, end, first.kept)
			continue
		}
		require.ErrorIs(t, err, errAsked)
		second := resume(first)
		if after[0] == "stop in compile" && first.kept.Step == 4 && first.kept.Evaluated == 0 {
			// The evaluation of step 4 was left to its compiler, and the request to the next
			// process, which hears it after its first step.
			require.Empty(t, first.answers())
			_, err := halved(second).loop.Run(t.Context(), second.kept)
			require.NoError(t, err)
			require.Equal(t, []float64{1, .5, .5, .5, .5, .5, .5}, rates(second.said))
			continue
		}
		if len(first.answers()) == 0 {
			second = halved(second)
		}
		p, err := second.loop.Run(t.Context(), second.kept)
		require.NoError(t, err)
		require.Equal(t, end, p, "moment %d", n)
		require.Equal(t, whole.weights, second.weights)
		require.Equal(t, results(whole.said), results(slices.Concat(first.said, second.said)), "moment %d", n)
		require.Len(t, slices.Concat(first.answers(), second.answers()), 1)
	}
}
