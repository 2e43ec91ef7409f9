package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// A step in micro-batches is the step on the whole batch: losses, gradients' norms and
// every variable, with classes of different weights, where micro-batches have one labelled
// pixel or none; with clipping, frozen layers, either optimiser and either loss, and on
// several devices.
func TestAccumulationIsTheWholeBatch(t *testing.T) {
	t.Parallel()
	weighed := func(c *EngineConfig) { c.Train.ClassWeights = []float64{0.5, 1, 2, 3, 0, 7} }
	tests := map[string]struct {
		change func(*EngineConfig)
		lr     float64
		runs   [][2]int // parts, devices
	}{
		"sgd":   {weighed, 0.02, [][2]int{{2, 1}, {4, 1}, {2, 2}}},
		"adamw": {func(c *EngineConfig) { headOnly(c); c.Train.Optimizer = "adamw" }, 0.02, [][2]int{{4, 1}}},
		"sum":   {func(c *EngineConfig) { headOnly(c); weighed(c); c.Train.Loss = "sum" }, 1e-6, [][2]int{{2, 1}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			batches := unevenBatches(t, 4)
			run := func(parts, devices int) (losses, norms []float64, end snapshot) {
				e := newMeshEngine(t, devices, func(c *EngineConfig) { c.Net.Encoder, c.Train.Clip, c.Train.Accumulate = "vgg11", 1, parts }, test.change, scored)
				for at, b := range batches {
					require.NoError(t, e.CompileStep(b, nil))
					r, err := e.Step(b, int64(at), test.lr)
					require.NoError(t, err)
					require.False(t, r.Spoilt)
					losses, norms = append(losses, r.Loss), append(norms, r.GradNorm)
				}
				return losses, norms, take(t, e)
			}
			wantLosses, wantNorms, want := run(1, 1)
			require.NotEqual(t, wantLosses[0], wantLosses[3])
			for _, n := range test.runs {
				losses, norms, got := run(n[0], n[1])
				t.Logf("%d parts on %d devices: losses %v, at once %v", n[0], n[1], losses, wantLosses)
				for i := range losses {
					require.InEpsilon(t, wantLosses[i], losses[i], 1e-5, "loss of step %d", i+1)
					require.InEpsilon(t, wantNorms[i], norms[i], 1e-4, "norm of step %d", i+1)
				}
				tolerance := 1e-5
				if name == "adamw" {
					tolerance = 1e-3 // a gradient next to nothing, divided by its own size, is as large as any
				}
				requireClose(t, want, got, tolerance)
			}
		})
	}
}

// With batch norm a step in parts goes on from its checkpoint to the same bytes: a
// checkpoint has the variables that it has without accumulation, and each part its own
// dropout.
func TestAccumulationResumes(t *testing.T) {
	t.Parallel()
	change := func(c *EngineConfig) {
		c.Net.Arch, c.Net.Dropout, c.Train.Accumulate = "fcn32s", 0.5, 2
		c.Train.Freeze = []string{"conv[1-4]*", "bn[1-4]*"} // compiles faster
	}
	batches := shapesBatches(t, "32x32", 6)
	whole := newEngine(t, change)
	losses := steps(t, whole, batches[:3], 0, 0.05)
	middle := take(t, whole)
	losses = append(losses, steps(t, whole, batches[3:], 3, 0.05)...)

	again := newEngine(t, change, func(c *EngineConfig) { c.Values = middle })
	require.Equal(t, losses[3:], steps(t, again, batches[3:], 3, 0.05))
	require.Empty(t, take(t, whole).differ(take(t, again)))

	atOnce := newEngine(t, change, func(c *EngineConfig) { c.Train.Accumulate = 1 })
	steps(t, atOnce, batches[:1], 0, 0.05)
	require.Equal(t, take(t, atOnce).Paths(), middle.Paths())
	require.Contains(t, middle, "bn5_2/running_mean")

	// Both micro-batches have the same images here, and differ by what is dropped.
	twice := *batches[0]
	half := part(&twice, 0, 2)
	twice.Images, twice.Labels = append(half.Images, half.Images...), append(half.Labels, half.Labels...)
	first, err := again.microInputs(&twice, 0, 0)
	require.NoError(t, err)
	second, err := again.microInputs(&twice, 0, 1)
	require.NoError(t, err)
	require.True(t, first[0].Equal(second[0]))
	require.False(t, first[4].Equal(second[4]))
	finalize(append(first, second...))
}

// What a step in parts needs is what XLA says of both of its graphs, with the variables
// that lie beside them: less than the whole batch, and more than one of its parts.
func TestAccumulationSavesMemory(t *testing.T) {
	t.Parallel()
	engine := func(parts int) *Engine {
		return newEngine(t, func(c *EngineConfig) { c.Net.Encoder, c.Net.Arch, c.Train.Accumulate = "vgg11", "fcn32s", parts })
	}
	needed := func(e *Engine, n int) int64 {
		m, err := e.StepMemory(n, 64, 64)
		require.NoError(t, err)
		return m.Needed()
	}
	parts := engine(4)
	whole, one, inParts := needed(engine(1), 4), needed(engine(1), 1), needed(parts, 4)
	t.Logf("whole %d, one image %d, in parts %d bytes", whole, one, inParts)
	require.Less(t, inParts, whole)
	require.Greater(t, inParts, one, "the sums of the gradients come on top")

	b := shapesBatches(t, "64x64", 1)[0]
	require.NoError(t, parts.CompileStep(b, nil))
	compiled, err := parts.CompiledStepMemory(b)
	require.NoError(t, err)
	require.Equal(t, inParts, compiled.Needed())

	_, err = parts.StepMemory(6, 64, 64)
	require.ErrorContains(t, err, "a batch of 6 images cannot be computed as 4 equal micro-batches")
}

// NaN is found in the micro-batch where it begins, and in the update.
func TestAccumulationExplainsNaN(t *testing.T) {
	t.Parallel()
	batches := unevenBatches(t, 2)
	tests := map[string]struct {
		change func(*EngineConfig)
		lr     float64
		where  string
	}{
		// The first two images have one labelled pixel, the others all of theirs.
		"a micro-batch": {func(c *EngineConfig) {
			c.Train.Loss, c.Train.ClassWeights = "sum", []float64{1e37, 1e37, 1e37, 1e37, 1e37, 1e37}
		}, 0.01, "^in micro-batch 2 of 2 every layer's output is finite, and it begins in the "},
		"the update": {func(*EngineConfig) {}, 1e39, "^every gradient is finite, and it begins in the new value of (fc|score|upscore)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, headOnly, test.change, func(c *EngineConfig) { c.Train.Accumulate, c.Train.DebugNaN = 2, true })
			require.NoError(t, e.CompileStep(batches[0], nil))
			r, err := e.Step(batches[0], 0, test.lr)
			require.NoError(t, err)
			require.True(t, r.Spoilt)
			require.Regexp(t, test.where, r.Where)
		})
	}
}

// A running average that breaks spoils the step, though only micro-batches change it.
func TestAccumulationSeesRunningAverages(t *testing.T) {
	t.Parallel()
	e := newEngine(t, with("bn5_2/running_mean", float32(math.Inf(1))), func(c *EngineConfig) {
		c.Net.Arch, c.Train.Accumulate = "fcn32s", 2
		c.Train.Freeze = []string{"conv[1-4]*", "bn[1-4]*"}
	})
	b := shapesBatches(t, "32x32", 1)[0]
	require.NoError(t, e.CompileStep(b, nil))
	r, err := e.Step(b, 0, 0.01)
	require.NoError(t, err)
	require.True(t, r.Spoilt)
	require.True(t, isFinite(r.Loss), "%v", r.Loss)
}

// What cannot be cut evenly is an error and no panic.
func TestAccumulationRefuses(t *testing.T) {
	e := newEngine(t, headOnly, func(c *EngineConfig) { c.Train.Accumulate = 3 })
	b := shapesBatches(t, "32x32", 1)[0]
	require.ErrorContains(t, e.CompileStep(b, nil), "a batch of 4 images cannot be computed as 3 equal micro-batches")
}
