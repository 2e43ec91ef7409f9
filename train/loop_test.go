package train

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/score"
)

var updateGolden = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/name, or writes it there.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updateGolden {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// The whole of what a run says, as events.jsonl has it.
func TestLoopDialogue(t *testing.T) {
	w := newWorld(7)
	w.loop.EvalEvery, w.loop.SaveEvery, w.loop.Previews = 5, 2, w
	progress, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	require.Equal(t, Progress{Step: 7, Cursor: 14, Evaluated: 7, BestIoU: 7. / 193, BestStep: 7}, progress)
	require.Equal(t, progress, w.kept)
	var lines bytes.Buffer
	for _, r := range w.said {
		line, err := event.Marshal(r)
		require.NoError(t, err)
		fmt.Fprintf(&lines, "%s\n", line)
	}
	golden(t, "dialogue.jsonl", lines.String())
}

// firstEval is the first evaluation of a process, after a step: what was learned is kept
// before the compiler has the word.
func firstEval(step int) string {
	return fmt.Sprintf("eval, save, kept %d, compile evaluation 4x8x8, eval", step)
}

func TestLoopRhythm(t *testing.T) {
	const compiles = "compile training step 2x8x8, train"
	const owedEval = "eval, compile evaluation 4x8x8, eval"
	tests := map[string]struct {
		steps int64
		from  Progress
		set   func(*world)
		want  string
	}{
		"evaluation each epoch, and at the end": {12, Progress{}, func(w *world) { w.loop.EvalEvery = 5 },
			compiles + ", 1, 2, 3, 4, 5, " + firstEval(5) + ", scored 5*, save, kept 5, train, 6, 7, 8, 9, 10, eval, scored 10*, save, kept 10, " +
				"train, 11, 12, eval, scored 12*, save, kept 12"},
		"evaluation only at the end": {3, Progress{}, func(*world) {},
			compiles + ", 1, 2, 3, " + firstEval(3) + ", scored 3*, save, kept 3"},
		"evaluation every two and a half steps": {10, Progress{}, func(w *world) { w.loop.EvalEvery = 2.5 },
			compiles + ", 1, 2, 3, " + firstEval(3) + ", scored 3*, save, kept 3, train, 4, 5, eval, scored 5*, save, kept 5, " +
				"train, 6, 7, 8, eval, scored 8*, save, kept 8, train, 9, 10, eval, scored 10*, save, kept 10"},
		"evaluation more often than there are steps": {2, Progress{}, func(w *world) { w.loop.EvalEvery = 0.4 },
			compiles + ", 1, " + firstEval(1) + ", scored 1*, save, kept 1, train, 2, eval, scored 2*, save, kept 2"},
		"an interval that floats make a little larger than 7": {8, Progress{}, func(w *world) { w.loop.EvalEvery = math.Nextafter(7, 8) },
			compiles + ", 1, 2, 3, 4, 5, 6, 7, " + firstEval(7) + ", scored 7*, save, kept 7, train, 8, eval, scored 8*, save, kept 8"},
		"never scored, kept every 3 steps": {7, Progress{}, func(w *world) { w.loop.Val, w.loop.SaveEvery = nil, 3 },
			compiles + ", 1, 2, 3, save, kept 3, train, 4, 5, 6, save, kept 6, train, 7, save, kept 7"},
		"kept once where two rhythms meet": {4, Progress{}, func(w *world) { w.loop.EvalEvery, w.loop.SaveEvery = 2, 2 },
			compiles + ", 1, 2, " + firstEval(2) + ", scored 2*, save, kept 2, train, 3, 4, eval, scored 4*, save, kept 4"},
		// A step takes 110 ms with its data, the first 5 s more for the compiler.
		"kept by the clock": {12, Progress{}, func(w *world) { w.loop.Val, w.loop.SaveInterval = nil, 500*time.Millisecond },
			compiles + ", 1, save, kept 1, train, 2, 3, 4, 5, 6, save, kept 6, train, 7, 8, 9, 10, 11, save, kept 11, train, 12, save, kept 12"},
		"each shape is compiled once": {5, Progress{}, func(w *world) {
			w.loop.Val = nil
			w.height = func(step int64) int { return 8 * int(1+step%2) }
		}, "compile training step 2x16x8, train, 1, save, kept 1, compile training step 2x8x8, train, 2, 3, 4, 5, save, kept 5"},
		"the best is higher than all before it": {5, Progress{}, func(w *world) {
			w.loop.EvalEvery = 1
			w.right = func(step int64) int { return []int{0, 30, 50, 50, 49, 51}[step] }
		}, compiles + ", 1, " + firstEval(1) + ", scored 1*, save, kept 1, train, 2, eval, scored 2*, save, kept 2, train, 3, eval, scored 3, save, kept 3, " +
			"train, 4, eval, scored 4, save, kept 4, train, 5, eval, scored 5*, save, kept 5"},
		"a mean IoU of zero is a first best": {1, Progress{}, func(w *world) { w.right = func(int64) int { return 0 } },
			compiles + ", 1, " + firstEval(1) + ", scored 1*, save, kept 1"},
		"no mean IoU is no best": {1, Progress{}, func(w *world) { w.right = func(int64) int { return -1 } },
			compiles + ", 1, " + firstEval(1) + ", scored 1, save, kept 1"},
		"resumed": {7, Progress{Step: 5, Cursor: 10, Evaluated: 5, BestIoU: 0.9, BestStep: 5}, func(w *world) { w.loop.EvalEvery = 5 },
			compiles + ", 6, 7, " + firstEval(7) + ", scored 7, save, kept 7"},
		"resumed between a step and its evaluation": {6, Progress{Step: 5, Cursor: 10}, func(w *world) { w.loop.EvalEvery = 5 },
			owedEval + ", scored 5*, save, kept 5, " + compiles + ", 6, eval, scored 6*, save, kept 6"},
		"resumed where no evaluation was due": {5, Progress{Step: 4, Cursor: 8}, func(w *world) { w.loop.EvalEvery = 5 },
			compiles + ", 5, " + firstEval(5) + ", scored 5*, save, kept 5"},
		"resumed at the end, with the last evaluation to come": {5, Progress{Step: 5, Cursor: 10}, func(*world) {},
			owedEval + ", scored 5*, save, kept 5"},
		"complete":                   {5, Progress{Step: 5, Cursor: 10, Evaluated: 5}, func(*world) {}, ""},
		"complete, and never scored": {5, Progress{Step: 5, Cursor: 10}, func(w *world) { w.loop.Val = nil }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(test.steps)
			w.kept = test.from
			test.set(w)
			progress, err := w.loop.Run(t.Context(), test.from)
			require.NoError(t, err)
			require.Equal(t, test.want, w.dialogue())
			require.Equal(t, test.steps, progress.Step)
			require.Equal(t, progress, w.kept)
		})
	}
}

func TestLoopErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	bad := &datasets.SampleError{ID: "7", Path: "images/7.jpg", Err: errors.New("not a JPEG")}
	// at makes the n-th deed of a kind fail.
	at := func(n int, deed string, err error) func(*world) {
		return func(w *world) {
			w.fail = func(d string) error {
				if d == deed {
					n--
				}
				if d == deed && n == 0 {
					return err
				}
				return nil
			}
		}
	}
	const advice = "; try a lower train.lr, a longer train.warmup or train.clip = 1.0; --debug-nan names the layer in which it begins"
	tests := map[string]struct {
		set  func(*world)
		want string
		is   error
		kept int64 // step of the newest checkpoint
	}{
		"the first loss is NaN": {at(1, "step", lossIs(math.NaN())), "diverged at step 1: the loss is NaN" + advice, nil, 0},
		"a loss is NaN":         {at(8, "step", lossIs(math.NaN())), "diverged at step 8: the loss is NaN; the last good checkpoint is that of step 6" + advice, nil, 6},
		"a loss is Inf":         {at(4, "step", lossIs(math.Inf(1))), "diverged at step 4: the loss is +Inf; the last good checkpoint is that of step 3" + advice, nil, 3},
		"weights are NaN": {at(3, "save", fmt.Errorf("checkpoint: %w", &DivergedError{What: "fc6/bias holds NaN or Inf"})),
			"diverged at step 6: fc6/bias holds NaN or Inf; the last good checkpoint is that of step 3" + advice, nil, 3},
		"a save fails":            {at(2, "save", broken), "disk on fire", broken, 3},
		"a step fails":            {at(5, "step", broken), "disk on fire", broken, 3},
		"an evaluation fails":     {at(3, "eval", broken), "disk on fire", broken, 6},
		"a compiler fails":        {at(1, "compile", broken), "disk on fire", broken, 0},
		"evaluation's fails":      {at(2, "compile", broken), "disk on fire", broken, 3},
		"training data are bad":   {at(6, "data", bad), "images/7.jpg: not a JPEG", bad, 5},
		"the first sample is bad": {at(1, "data", bad), "images/7.jpg: not a JPEG", bad, 0},
		"validation data are bad": {at(1, "val data", bad), "images/7.jpg: not a JPEG", bad, 3},
		"and then a save fails": {func(w *world) {
			w.fail = func(deed string) error {
				return map[string]error{"val data": bad, "save": broken}[deed]
			}
		}, "images/7.jpg: not a JPEG\ndisk on fire", bad, 0},
		"training data end":    {at(6, "data", errNoMore), "the training data ended after step 5 of 12", nil, 5},
		"no validation data":   {func(w *world) { w.loop.Val = w.pass(0) }, "no pixel of the 0 validation samples has a label", nil, 3},
		"a loss of no meaning": {func(w *world) { w.loop.Stepper = unlabelled{w} }, "no pixel of the 6 validation samples has a label", nil, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(12)
			w.loop.EvalEvery = 3
			test.set(w)
			progress, err := w.loop.Run(t.Context(), Progress{})
			require.EqualError(t, err, test.want)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			require.Equal(t, test.kept, w.kept.Step)
			require.GreaterOrEqual(t, progress.Step, w.kept.Step)
			var lost *DivergedError
			require.Equal(t, strings.HasPrefix(test.want, "diverged"), errors.As(err, &lost))
			if lost != nil {
				require.Equal(t, progress.Step, lost.Step)
			}
		})
	}
}

// unlabelled scores batches in which no pixel has a label.
type unlabelled struct{ *world }

func (u unlabelled) Eval(*datasets.Batch, *score.Confusion, bool) (EvalResult, error) {
	return EvalResult{}, nil
}

// A diverged resumed run names the checkpoint that it came from.
func TestLoopDivergedAfterResume(t *testing.T) {
	w := newWorld(9)
	w.fail = func(deed string) error {
		return map[string]error{"step": lossIs(math.Inf(-1))}[deed]
	}
	_, err := w.loop.Run(t.Context(), Progress{Step: 4, Cursor: 8})
	require.ErrorContains(t, err, "diverged at step 5: the loss is -Inf; the last good checkpoint is that of step 4;")
	require.Zero(t, w.kept)
}

// Each evaluation hands on the masks that are wanted, and the pictures are told of
// after its numbers and before they are saved. Pictures that fail change nothing.
func TestLoopPreviews(t *testing.T) {
	w := newWorld(2)
	w.loop.EvalEvery, w.loop.Previews = 1, w
	_, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	require.Equal(t, "compile training step 2x8x8, train, 1, eval, save, kept 1, compile evaluation 4x8x8, eval, scored 1*, shown 1, save, kept 1, "+
		"train, 2, eval, scored 2*, shown 2, save, kept 2", w.dialogue())
	require.Len(t, w.seen, 2, "one batch of two is wanted")
	require.Equal(t, []uint8{1, 2}, []uint8{w.seen[0][0], w.seen[1][0]})
	for _, r := range w.said {
		if p, ok := r.(event.Preview); ok {
			require.Equal(t, event.Float(p.Step), event.Float(p.Images[0].Errors))
			require.False(t, p.Time.IsZero())
		}
	}

	w = newWorld(2)
	w.loop.EvalEvery, w.loop.Previews = 1, w
	w.fail = func(deed string) error { return map[string]error{"preview": errors.New("disk full")}[deed] }
	_, err = w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	require.NotContains(t, w.dialogue(), "shown")
	require.Contains(t, w.dialogue(), "kept 2")
}

// A step tells what reading its loss took, and what telling of the step before did;
// of another record's telling it says nothing.
func TestLoopTellsWhatTellingTakes(t *testing.T) {
	w := newWorld(4)
	w.loop.Val, w.loop.SaveEvery, w.loop.Stepper = nil, 2, reading{w}
	tell := w.loop.Emit
	w.loop.Emit = func(r event.Record) {
		tell(r)
		w.now = w.now.Add(time.Second)
		if step, ok := r.(event.Step); ok {
			w.now = w.now.Add(time.Duration(step.Step)*time.Millisecond - time.Second)
		}
	}
	_, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	var read, told []float64
	for _, r := range w.said {
		if step, ok := r.(event.Step); ok {
			read, told = append(read, step.ReadMS), append(told, step.TellMS)
			require.Equal(t, 100., step.StepMS)
		}
	}
	require.Equal(t, []float64{0.25, 0.25, 0.25, 0.25}, read)
	require.Equal(t, []float64{0, 1, 2, 3}, told)
}

type reading struct{ *world }

func (r reading) Step(b *datasets.Batch, at int64, lr float64) (StepResult, error) {
	result, err := r.world.Step(b, at, lr)
	result.Read = 250 * time.Microsecond
	return result, err
}

// Where gradients are clipped, a step tells their norm.
func TestLoopGradNorm(t *testing.T) {
	w := newWorld(1)
	w.loop.Val, w.loop.Stepper = nil, clipping{w}
	_, err := w.loop.Run(t.Context(), Progress{})
	require.NoError(t, err)
	norm := event.Float(2.5)
	require.Equal(t, &norm, w.said[3].(event.Step).GradNorm)
}

type clipping struct{ *world }

func (c clipping) Step(b *datasets.Batch, at int64, lr float64) (StepResult, error) {
	r, err := c.world.Step(b, at, lr)
	r.GradNorm = 2.5
	return r, err
}
