package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
)

// spoiling is a Stepper whose n-th step breaks the weights, though its loss is a number.
type spoiling struct {
	*world
	n      int64
	result StepResult
}

func (s spoiling) Step(b *datasets.Batch, at int64, lr float64) (StepResult, error) {
	r, err := s.world.Step(b, at, lr)
	if at+1 == s.n {
		r.Spoilt, r.Where, r.GradNorm = true, s.result.Where, s.result.GradNorm
	}
	b.IDs = []string{"first", "second"}
	return r, err
}

// A step that breaks the weights ends the run, and is not saved over what is good,
// though a checkpoint and an evaluation are due.
func TestLoopSpoiltWeights(t *testing.T) {
	none := math.NaN()
	for name, test := range map[string]struct {
		result  StepResult
		retries int
		want    string
	}{
		"plain": {StepResult{GradNorm: none}, 0, "the updated weights hold NaN or Inf; the last good checkpoint is that of step 3; " +
			"try a lower train.lr, a longer train.warmup or train.clip = 1.0; --debug-nan names the layer in which it begins"},
		"clipped, after a retry": {StepResult{GradNorm: math.Inf(1)}, 1, "the updated weights hold NaN or Inf, at a gradient norm of +Inf; it had gone back once before; " +
			"the last good checkpoint is that of step 3; try a lower train.lr, a longer train.warmup or train.clip = 1.0; --debug-nan names the layer in which it begins"},
		"explained, after retries": {StepResult{GradNorm: none, Where: "it begins in fc6"}, 2, "the updated weights hold NaN or Inf; it begins in fc6; samples first, second; " +
			"it had gone back 2 times before; the last good checkpoint is that of step 3; try a lower train.lr, a longer train.warmup or train.clip = 1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(12)
			w.loop.EvalEvery, w.loop.SaveEvery = 3, 3
			w.loop.Stepper = spoiling{w, 6, test.result}
			progress, err := w.loop.Run(t.Context(), Progress{RateScale: 0.25, Retries: test.retries})
			require.EqualError(t, err, "diverged at step 6: "+test.want)
			require.Equal(t, int64(6), progress.Step)
			require.Equal(t, test.retries, progress.Retries)
			require.Equal(t, 0.25, progress.RateScale, "what a retry starts from")
			require.Equal(t, int64(3), w.kept.Step)
			require.Equal(t, test.retries, w.kept.Retries)
			var lost *DivergedError
			require.ErrorAs(t, err, &lost)
			require.NotContains(t, lost.Cause(), "try a lower")
		})
	}
}

func TestListed(t *testing.T) {
	require.Equal(t, "a, b", listed([]string{"a", "b"}))
	require.Equal(t, "1, 2, 3, 4, 5, 6, 7, 8 and 2 more", listed([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}))
}

// Retries are counted and lower the rate, until it is a millionth of the schedule's.
func TestProgressBack(t *testing.T) {
	p, n := Progress{Step: 7, BestStep: 5}, 0
	for {
		next, ok := p.Back(0.5)
		if !ok {
			require.Equal(t, p, next)
			break
		}
		n++
		require.Equal(t, Progress{Step: 7, BestStep: 5, RateScale: math.Pow(0.5, float64(n)), Retries: n}, next)
		p = next
	}
	require.Equal(t, 20, n)
}

// The first tensor that is not finite is named, with what it holds and what went in.
func TestFirstBad(t *testing.T) {
	places := []place{
		{name: "it begins in the output of images", size: 12, op: "images"},
		{name: "it begins in the output of conv1_1", size: 8, op: "conv1_1", from: "images"},
		{name: "it begins in the loss", size: 1},
		{name: "it begins in the gradient of conv1_1/bias", size: 4},
	}
	good := []contents{{largest: 2.5}, {largest: 7}, {largest: 1}, {largest: 3e30}}
	with := func(i int, c contents) []contents {
		found := append([]contents(nil), good...)
		found[3] = contents{nans: 4}
		found[i] = c
		return found
	}
	for want, found := range map[string][]contents{
		"it begins in the output of images: of 12 values 1 are NaN and 0 Inf, and the largest other magnitude is 2":    with(0, contents{1, 0, 2}),
		"it begins in the output of conv1_1: of 8 values 3 are NaN and 5 Inf; that of images before it is at most 2.5": with(1, contents{3, 5, 0}),
		"it begins in the loss, which is NaN": with(2, contents{1, 0, 0}),
		"it begins in the loss, which is Inf": with(2, contents{0, 1, 0}),
		"it begins in the gradient of conv1_1/bias: of 4 values 0 are NaN and 1 Inf, and the largest other magnitude is 3e+38": with(3, contents{0, 1, 3e38}),
		"": good,
	} {
		require.Equal(t, want, firstBad(places, found))
	}
}
