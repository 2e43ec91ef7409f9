package train

import (
	"image/color"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/score"
)

// augmentedShapes is a stream with an order and pixels that chance decides, from a
// data set of seven batches.
func augmentedShapes(t *testing.T, workers int) *datasets.Loader {
	t.Helper()
	source, err := datasets.Open("shapes?classes=6&n=28&size=48x40", datasets.Train)
	require.NoError(t, err)
	loader, err := datasets.NewLoader(t.Context(), source, datasets.LoaderConfig{
		Batch: 4, Height: 32, Width: 32, Seed: 7, Shuffle: true, Workers: workers,
		Augment: datasets.Chain(datasets.Crop(32, 32, color.RGBA{128, 128, 128, 255}), datasets.FlipLR(), datasets.ColorJitter(0.3)),
	})
	require.NoError(t, err)
	return loader
}

// stepOn runs steps from..to of a run, with a schedule, and returns the losses and
// the cursor.
func stepOn(t *testing.T, e *Engine, loader *datasets.Loader, cursor datasets.Cursor, from, to int64) ([]float64, datasets.Cursor) {
	t.Helper()
	schedule, err := NewSchedule(TrainConfig{Schedule: "poly", Power: 0.9, LR: 0.02, Warmup: 3}, 20)
	require.NoError(t, err)
	var losses []float64
	for b, err := range loader.Batches(t.Context(), cursor) {
		require.NoError(t, err)
		require.NoError(t, e.CompileStep(b, nil))
		r, err := e.Step(b, from, schedule(int(from)))
		require.NoError(t, err)
		losses = append(losses, r.Loss, r.GradNorm)
		cursor = b.Next
		if from++; from == to {
			break
		}
	}
	return losses, cursor
}

// Twenty steps are ten, a checkpoint, a new engine with another number of workers
// and ten more, byte for byte: weights, running averages, the optimiser's slots
// and the losses. Batch norm, dropout, clipping and augmentation are on; the data
// run into their third epoch.
func TestResumeIsExact(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*EngineConfig){
		"sgd": func(c *EngineConfig) {
			c.Train.Nesterov = true
			c.Train.Freeze = []string{"conv[1-3]*", "bn[1-3]*"} // compiles faster
		},
		"adamw": func(c *EngineConfig) {
			c.Train.Optimizer, c.Net.Arch = "adamw", "fcn32s"
			c.Train.Freeze = []string{"conv[1-4]*", "bn[1-4]*"}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := func(c *EngineConfig) {
				c.Net.Dropout, c.Train.Clip = 0.5, 1
				change(c)
			}
			first := newEngine(t, config)
			before, cursor := stepOn(t, first, augmentedShapes(t, 1), 0, 0, 10)
			require.Len(t, before, 2*10)
			kept := take(t, first)
			want, _ := stepOn(t, first, augmentedShapes(t, 1), cursor, 10, 20)

			second := newEngine(t, config, func(c *EngineConfig) { c.Values = kept })
			// It was stopped before an evaluation that is now made up for, and is saved
			// after that: nothing may be missing because no step has asked for it yet.
			b := shapesBatches(t, "32x32", 1)[0]
			require.NoError(t, second.CompileEval(b, nil))
			_, err := second.Eval(b, score.New(6), true)
			require.NoError(t, err)
			require.Empty(t, kept.differ(take(t, second)))

			got, _ := stepOn(t, second, augmentedShapes(t, 3), cursor, 10, 20)
			require.Equal(t, want, got)
			end := take(t, first)
			require.Empty(t, end.differ(take(t, second)))
			require.NotEmpty(t, kept.differ(end))
			require.Contains(t, end, map[string]string{"sgd": "sgd/fc6/weight", "adamw": "AdamOptimizer/fc6/weight_2nd_moment"}[name])
		})
	}
}
