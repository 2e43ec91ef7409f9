package train

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/device/devicetest"
	"github.com/fcnx/fcnx/train/score"
)

// newMeshEngine is newEngine on n devices; on one, the same engine as everywhere else.
func newMeshEngine(t testing.TB, n int, change ...func(*EngineConfig)) *Engine {
	t.Helper()
	if n == 1 {
		return newEngine(t, change...)
	}
	e, err := NewEngine(devicetest.Four(t).Compute, engineConfig(append(change, func(c *EngineConfig) { c.Devices = n })...))
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

// unevenBatches are shapesBatches of which the samples have very different numbers of
// labelled pixels: the first has one, the second none.
func unevenBatches(t testing.TB, n int) []*datasets.Batch {
	t.Helper()
	batches := shapesBatches(t, "32x32", n)
	for _, b := range batches {
		area := b.LabelH * b.LabelW
		for i := range 2 * area {
			if i != area/2 {
				b.Labels[i] = datasets.Ignore
			}
		}
	}
	return batches
}

// floats are a snapshot's numbers, by path.
func floats(t testing.TB, s snapshot) map[string][]float32 {
	t.Helper()
	values := map[string][]float32{}
	for path, v := range s {
		if v.DType != "F32" {
			continue
		}
		values[path] = make([]float32, len(v.data)/4)
		require.NoError(t, binary.Read(bytes.NewReader(v.data), binary.LittleEndian, values[path]))
	}
	return values
}

// requireClose compares all float32 variables, relative to the largest of each.
func requireClose(t testing.TB, want, got snapshot, tolerance float64) {
	t.Helper()
	require.Equal(t, want.Paths(), got.Paths())
	a, b := floats(t, want), floats(t, got)
	for path := range a {
		largest := 1e-3
		for _, x := range a[path] {
			largest = max(largest, math.Abs(float64(x)))
		}
		for i, x := range a[path] {
			require.InDelta(t, x, b[path][i], tolerance*largest, "%s[%d]", path, i)
		}
	}
}

// Losses, gradients' norms, every variable, scores and predictions do not depend on how
// many devices share the batch: with batch norm, dropout, clipping, frozen layers, either
// optimiser and either loss, and where the devices' parts have different numbers of
// labelled pixels.
func TestDevicesAgree(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*EngineConfig){
		"batch norm, sgd": func(c *EngineConfig) { c.Net.Arch, c.Train.Nesterov = "fcn32s", true },
		"adamw": func(c *EngineConfig) {
			c.Net.Arch, c.Net.Encoder = "fcn16s", "vgg11"
			c.Train.Optimizer, c.Train.Freeze = "adamw", []string{"conv*"}
		},
		"paper, sum": func(c *EngineConfig) {
			headOnly(c)
			c.Net.Geometry, c.Train.Loss = "paper", "sum"
			c.Train.ClassWeights = []float64{0.5, 1, 2, 3, 0, 7}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			batches := unevenBatches(t, 4)
			scoring := *batches[0]
			scoring.N = 3 // which neither two nor four devices can share evenly
			area := scoring.LabelH * scoring.LabelW
			scoring.Images, scoring.Labels = scoring.Images[:3*area*3], scoring.Labels[:3*area]
			scoring.Sizes, scoring.LabelSizes = scoring.Sizes[:6], scoring.LabelSizes[:6]
			lr := 0.02
			if name == "paper, sum" {
				lr = 1e-6
			}
			type outcome struct {
				losses, norms []float64
				end           snapshot
				eval          EvalResult
				counts        []int64
				logits        []float32
			}
			run := func(n int) outcome {
				var o outcome
				e := newMeshEngine(t, n, func(c *EngineConfig) { c.Net.Dropout, c.Train.Clip = 0.5, 1 }, change, scored)
				for at, b := range batches {
					require.NoError(t, e.CompileStep(b, nil))
					r, err := e.Step(b, int64(at), lr)
					require.NoError(t, err)
					o.losses, o.norms = append(o.losses, r.Loss), append(o.norms, r.GradNorm)
				}
				o.end = take(t, e)
				into := score.New(6)
				var err error
				require.NoError(t, e.CompileEval(&scoring, nil))
				o.eval, err = e.Eval(&scoring, into, true)
				require.NoError(t, err)
				o.counts = into.Counts()
				if name == "batch norm, sgd" {
					return o // two graphs less to compile
				}
				masks, err := e.Masks(&scoring)
				require.NoError(t, err)
				require.Equal(t, o.eval.Masks, masks)
				o.logits, err = e.Logits(&scoring)
				require.NoError(t, err)
				return o
			}
			want := run(1)
			require.NotEqual(t, want.losses[0], want.losses[3])
			for _, n := range []int{2, 4} {
				got := run(n)
				t.Logf("%d devices: losses %v, on one %v", n, got.losses, want.losses)
				for i := range want.losses {
					require.InEpsilon(t, want.losses[i], got.losses[i], 1e-5, "loss of step %d on %d devices", i+1, n)
					require.InEpsilon(t, want.norms[i], got.norms[i], 1e-4, "norm of step %d on %d devices", i+1, n)
				}
				requireClose(t, want.end, got.end, 1e-4)
				require.InEpsilon(t, want.eval.Loss, got.eval.Loss, 1e-5)
				require.Equal(t, want.eval.Weight, got.eval.Weight)
				require.Len(t, got.eval.Masks, 3*area)
				differ := 0
				for i := range want.eval.Masks {
					if want.eval.Masks[i] != got.eval.Masks[i] {
						differ++
					}
				}
				require.LessOrEqual(t, differ, area/100, "pixels between two classes")
				if differ == 0 {
					require.Equal(t, want.counts, got.counts)
				}
				require.Len(t, got.logits, len(want.logits))
				for i := range want.logits {
					require.InDelta(t, want.logits[i], got.logits[i], 1e-4*float64(slices.Max(want.logits)), "logit %d on %d devices", i, n)
				}
			}
		})
	}
}
