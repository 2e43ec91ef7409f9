package train

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/score"
)

// slowLoss is the cross-entropy of logits [N,C,LabelH,LabelW], pixel by pixel: the
// sum over those with a label, and the sum of their weights.
func slowLoss(logits []float32, b *datasets.Batch, classes int, classWeights []float64) (sum, weight float64) {
	area := b.LabelH * b.LabelW
	for i, label := range b.Labels {
		if label == datasets.Ignore {
			continue
		}
		at := i/area*classes*area + i%area
		var total float64
		for c := range classes {
			total += math.Exp(float64(logits[at+c*area]))
		}
		w := 1.0
		if classWeights != nil {
			w = classWeights[label]
		}
		sum += w * (math.Log(total) - float64(logits[at+int(label)*area]))
		weight += w
	}
	return sum, weight
}

// slowMasks is the first of the highest logits at each pixel.
func slowMasks(logits []float32, b *datasets.Batch, classes int) []uint8 {
	area := b.LabelH * b.LabelW
	masks := make([]uint8, len(b.Labels))
	for i := range masks {
		at := i/area*classes*area + i%area
		for c := range classes {
			if logits[at+c*area] > logits[at+int(masks[i])*area] {
				masks[i] = uint8(c)
			}
		}
	}
	return masks
}

// Mean, sum and weighted mean are what the logits say, and a batch without a
// label costs nothing, teaches nothing and breaks nothing.
func TestEngineLoss(t *testing.T) {
	t.Parallel()
	weights := []float64{0.5, 1, 2, 3, 0, 7}
	mean := func(sum, weight float64) float64 { return sum / weight }
	tests := map[string]struct {
		change  func(*TrainConfig)
		weights []float64
		want    func(sum, weight float64) float64
	}{
		"mean":          {func(c *TrainConfig) { c.Clip = 1 }, nil, mean},
		"sum":           {func(c *TrainConfig) { c.Loss = "sum" }, nil, func(sum, _ float64) float64 { return sum }},
		"weighted mean": {func(c *TrainConfig) { c.ClassWeights = weights }, weights, mean},
	}
	b := shapesBatches(t, "32x32", 2)
	logits, err := newEngine(t, headOnly, scored).Logits(b[0])
	require.NoError(t, err)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Without momentum and decay nothing but a gradient moves a weight.
			e := newEngine(t, headOnly, scored, func(c *EngineConfig) {
				c.Train.Momentum, c.Train.WeightDecay = 0, 0
				test.change(&c.Train)
			})
			sum, weight := slowLoss(logits, b[0], 6, test.weights)
			require.InEpsilon(t, test.want(sum, weight), steps(t, e, b[:1], 0, 0)[0], 1e-5)

			before := take(t, e)
			ignored := *b[1]
			ignored.Labels = bytes.Repeat([]byte{datasets.Ignore}, len(b[1].Labels))
			r, err := e.Step(&ignored, 1, 0.1)
			require.NoError(t, err)
			require.Zero(t, r.Loss)
			if e.cfg.Clip > 0 {
				require.Zero(t, r.GradNorm)
			} else {
				require.True(t, math.IsNaN(r.GradNorm), "nobody asked for it")
			}
			require.Empty(t, before.differ(take(t, e)))

			r, err = e.Step(b[1], 2, 0.1)
			require.NoError(t, err)
			require.Greater(t, r.Loss, 0.)
			require.NotEmpty(t, before.differ(take(t, e)))
		})
	}
}

// The loss of an evaluation counts pixels by the weights of their classes too.
func TestEngineWeighsEvaluation(t *testing.T) {
	t.Parallel()
	weights := []float64{0.5, 1, 2, 3, 0, 7}
	e := newEngine(t, headOnly, scored, func(c *EngineConfig) { c.Train.ClassWeights = weights })
	b := shapesBatches(t, "32x32", 1)[0]
	logits, err := e.Logits(b)
	require.NoError(t, err)
	wantSum, wantWeight := slowLoss(logits, b, 6, weights)
	into := score.New(6)
	result, err := e.Eval(b, into, false)
	require.NoError(t, err)
	require.InEpsilon(t, wantSum, result.Loss, 1e-5)
	require.InEpsilon(t, wantWeight, result.Weight, 1e-6)
	require.Nil(t, result.Masks, "nobody asked for them")

	ignored := *b
	ignored.Labels = bytes.Repeat([]byte{datasets.Ignore}, len(b.Labels))
	counts := into.Counts()
	result, err = e.Eval(&ignored, into, false)
	require.NoError(t, err)
	require.Zero(t, result)
	require.Equal(t, counts, into.Counts())
}

// Eval, Masks and Logits agree on every labelled pixel, for images that fill their
// batch and for those that do not, at the images' size and at another, and blank
// samples at the end count for nothing.
func TestEngineEvaluation(t *testing.T) {
	t.Parallel()
	source, err := datasets.Open("shapes?classes=6&val_n=6&size=40x48", datasets.Val)
	require.NoError(t, err)
	tests := map[string]struct {
		resized bool
		loader  datasets.LoaderConfig
		compile string
	}{
		"at its own size": {false, datasets.LoaderConfig{Batch: 4}, "evaluation 4x64x64"},
		"resized":         {true, datasets.LoaderConfig{Batch: 4, Fixed: datasets.Resize(28, 32), Height: 28, Width: 32}, "evaluation 4x32x32, labels 40x48"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evaluation, err := datasets.NewEvaluation(t.Context(), source, test.loader)
			require.NoError(t, err)
			e := newEngine(t, headOnly, scored, func(c *EngineConfig) { c.Resized = test.resized })
			want, slow := score.New(6), score.New(6)
			var sum, weight float64
			var pixels int
			for b, err := range evaluation.Pass(t.Context()) {
				require.NoError(t, err)
				logits, err := e.Logits(b)
				require.NoError(t, err)
				require.Len(t, logits, 6*len(b.Labels))
				masks, err := e.Masks(b)
				require.NoError(t, err)
				require.Equal(t, slowMasks(logits, b, 6), masks)
				require.NoError(t, want.Observe(b.Labels, masks))
				s, w := slowLoss(logits, b, 6, nil)
				sum, weight = sum+s, weight+w
				for _, label := range b.Labels {
					if label != datasets.Ignore {
						pixels++
					}
				}
				result, err := e.Eval(b, slow, true)
				require.NoError(t, err)
				require.Equal(t, masks, result.Masks, "what is scored is what is predicted")
			}
			require.Equal(t, want.Counts(), slow.Counts())
			require.Equal(t, int64(pixels), want.Pixels())

			var compiled []string
			e.compiled = newCompilations()
			result, err := Evaluate(t.Context(), e, evaluation.Pass, 6, nil, func(what string) error {
				compiled = append(compiled, what)
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, []string{test.compile}, compiled)
			require.Equal(t, 6, result.Samples)
			require.InEpsilon(t, sum/weight, result.Loss, 1e-5)
			require.Equal(t, want.Counts(), result.Confusion.Counts())
		})
	}
}

// A stream that breaks ends an evaluation.
func TestEvaluateErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	w := newWorld(1)
	w.fail = func(deed string) error { return map[string]error{"val data": broken}[deed] }
	_, err := Evaluate(t.Context(), w, w.pass(3), 2, nil, nil)
	require.ErrorIs(t, err, broken)
}
