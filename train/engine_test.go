package train

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/device/devicetest"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train/score"
)

// All three nets learn, and do so with the numbers that they have always had. The
// golden files hold on any machine within 1e-4: another CPU adds in another order.
func TestEngineLearns(t *testing.T) {
	t.Parallel()
	for _, arch := range models.Archs() {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(c *EngineConfig) { c.Net.Arch, c.Net.Encoder = arch, "vgg11" })
			losses := steps(t, e, shapesBatches(t, "32x32", 30), 0, 0.05)
			require.InDelta(t, math.Log(6), losses[0], 1e-5, "score layers start at zero: all classes are alike")
			mean := func(l []float64) float64 { return (l[0] + l[1] + l[2] + l[3] + l[4] + l[5]) / 6 }
			require.Less(t, mean(losses[24:]), 0.8*mean(losses[:6]), "an epoch of six steps before and after: %v", losses)
			requireLosses(t, "losses_"+arch+".txt", losses[:20])
		})
	}
}

// requireLosses compares with a golden file of one loss a line.
func requireLosses(t *testing.T, name string, losses []float64) {
	t.Helper()
	var lines strings.Builder
	for _, loss := range losses {
		fmt.Fprintf(&lines, "%.7g\n", loss)
	}
	if *updateGolden {
		golden(t, name, lines.String())
	}
	want := readLosses(t, name)
	require.Len(t, losses, len(want))
	for i := range want {
		require.InEpsilon(t, want[i], losses[i], devicetest.Tolerance(1e-4), "step %d", i+1)
	}
}

func readLosses(t *testing.T, name string) []float64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var losses []float64
	for line := range strings.Lines(string(text)) {
		loss, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
		require.NoError(t, err)
		losses = append(losses, loss)
	}
	return losses
}

// The same seed gives the same bytes, of weights and of momentum, whoever computes
// them; dropout is on. (TestResumeIsExact says so for running averages.)
func TestEngineIsDeterministic(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) snapshot {
		e := newEngine(t, headOnly, func(c *EngineConfig) { c.Net.Dropout, c.Seed = 0.5, seed })
		steps(t, e, shapesBatches(t, "32x32", 10), 0, 0.05)
		return take(t, e)
	}
	first := run(1)
	require.Contains(t, first, "sgd/fc6/weight")
	require.Empty(t, first.differ(run(1)))
}

// Fresh weights come from the seed, and nothing is compiled for them.
func TestEngineSeed(t *testing.T) {
	weight := func(seed uint64) string {
		var data strings.Builder
		require.NoError(t, newEngine(t, func(c *EngineConfig) { c.Seed = seed }).WriteVariable("fc6/weight", &data))
		return data.String()
	}
	require.Equal(t, weight(1), weight(1))
	require.NotEqual(t, weight(1), weight(2))
}

// What dropout drops in a step is a function of the seed and the step's number:
// a resumed run cannot tell. Scoring drops nothing.
func TestEngineDropout(t *testing.T) {
	t.Parallel()
	e := newEngine(t, headOnly, scored, func(c *EngineConfig) { c.Net.Dropout = 0.5 })
	b := shapesBatches(t, "32x32", 1)
	loss := func(seed uint64, at int64) float64 {
		e.seed = seed
		return steps(t, e, b, at, 0)[0] // at a rate of zero nothing changes
	}
	require.Equal(t, loss(1, 3), loss(1, 3))
	require.NotEqual(t, loss(1, 3), loss(1, 4))
	require.NotEqual(t, loss(1, 3), loss(2, 3))

	logits, err := e.Logits(b[0])
	require.NoError(t, err)
	sum, weight := slowLoss(logits, b[0], 6, nil)
	require.NotEqual(t, loss(1, 3), sum/weight)
	e.seed = 9
	again, err := e.Logits(b[0])
	require.NoError(t, err)
	require.Equal(t, logits, again)
}

// Layers that do not learn stay as they are to the last byte: weights, and the
// running averages of batch norm too. All others move.
func TestEngineFreezes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*TrainConfig)
		frozen []string
	}{
		"by name":         {func(c *TrainConfig) { c.Freeze = []string{"conv[1-4]*", "bn[1-4]*", "fc7"} }, []string{"conv1", "conv2", "conv3", "conv4", "bn1", "bn2", "bn3", "bn4", "fc7"}},
		"by their rates":  {func(c *TrainConfig) { c.Rates = map[string]float64{"[cb]*[1-3]_*": 0, "fc7": 0} }, []string{"conv1", "conv2", "conv3", "bn1", "bn2", "bn3", "fc7"}},
		"by rate of zero": {func(c *TrainConfig) { c.EncoderLR = 0 }, []string{"conv", "bn"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(c *EngineConfig) { c.Net.Arch = "fcn32s"; test.change(&c.Train) })
			fresh := snapshot{}
			for _, v := range e.net.Variables() {
				values := make([]float32, v.Size())
				v.Initial(1, values)
				data, err := binary.Append(nil, binary.LittleEndian, values)
				require.NoError(t, err)
				fresh[v.Path()] = stored{data: data}
			}
			steps(t, e, shapesBatches(t, "32x32", 3), 0, 0.05)
			after := take(t, e)
			for _, v := range e.net.Variables() {
				frozen := slices.ContainsFunc(test.frozen, func(prefix string) bool { return strings.HasPrefix(v.Layer, prefix) })
				// Batch norm takes a bias before it away again: its gradient is zero.
				useless := v.Name == "bias" && strings.HasPrefix(v.Layer, "conv")
				require.Equal(t, frozen || useless, bytes.Equal(fresh[v.Path()].data, after[v.Path()].data), v.Path())
				_, moves := after["sgd/"+v.Path()]
				require.Equal(t, !frozen && v.Learns(), moves, "momentum of %s", v.Path())
			}
		})
	}
}

// Each shape of batch is compiled once, and all shapes share one set of variables,
// Adam's slots too.
func TestEngineShapes(t *testing.T) {
	t.Parallel()
	tidied := 0
	e := newEngine(t, headOnly, func(c *EngineConfig) { c.Train.Optimizer, c.Compiled = "adamw", func() { tidied++ } })
	small, wide := shapesBatches(t, "32x32", 1)[0], shapesBatches(t, "32x64", 1)[0]
	var compiled []string
	before := func(what string) error {
		compiled = append(compiled, what)
		return nil
	}
	var last snapshot
	for at, b := range []*datasets.Batch{small, wide, small, wide} {
		require.NoError(t, e.CompileStep(b, before))
		_, err := e.Step(b, int64(at), 0.01)
		require.NoError(t, err)
		now := take(t, e)
		if last != nil {
			require.Equal(t, last.Paths(), now.Paths())
			require.Contains(t, last.differ(now), "fc6/weight")
			require.Contains(t, last.differ(now), "AdamOptimizer/fc6/weight_1st_moment")
		}
		last = now
	}
	require.Equal(t, []string{"training step 4x32x32", "training step 4x32x64"}, compiled)
	for range 2 {
		_, err := e.Masks(small)
		require.NoError(t, err)
	}
	require.Equal(t, 3, tidied, "EngineConfig.Compiled is called once for each compilation")
	require.Equal(t, []string{"I64", "\x04\x00\x00\x00\x00\x00\x00\x00"}, []string{last["global_step"].DType, string(last["global_step"].data)})
}

func TestNewEngineErrors(t *testing.T) {
	tests := map[string]struct {
		change func(*EngineConfig)
		want   string
	}{
		"no clock":            {func(c *EngineConfig) { c.Now = nil }, "an engine needs a clock"},
		"no such network":     {func(c *EngineConfig) { c.Net.Arch = "fcn4s" }, `model.arch "fcn4s": use one of fcn32s, fcn16s, fcn8s`},
		"nothing to learn":    {func(c *EngineConfig) { c.Train.Freeze = []string{"*"} }, "train.freeze and the rates leave nothing to learn"},
		"too few weights":     {func(c *EngineConfig) { c.Train.ClassWeights = []float64{1, 2} }, "train.class_weights has 2 numbers for 6 classes"},
		"no layer of the net": {func(c *EngineConfig) { c.Train.Freeze = []string{"fc8"} }, `train.freeze: "fc8" names no layer of this network`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := NewEngine(onXLA(t), engineConfig(test.change))
			require.ErrorContains(t, err, test.want)
		})
	}
}

// Graph code panics; an Engine returns errors, each time it is asked.
func TestEnginePanicsAreErrors(t *testing.T) {
	good := shapesBatches(t, "32x32", 1)[0]
	short := *good
	short.Labels = short.Labels[:7]
	other := *good
	other.Labels, other.LabelH = other.Labels[:4*16*32], 16 // not the images' size, where a step needs it
	calls := map[string]func(*Engine, *datasets.Batch) error{
		"compiling the training step 4x32x32": func(e *Engine, b *datasets.Batch) error { return e.CompileStep(b, nil) },
		"training step":                       func(e *Engine, b *datasets.Batch) error { _, err := e.Step(b, 0, 0.1); return err },
		"compiling the evaluation 4x32x32":    func(e *Engine, b *datasets.Batch) error { return e.CompileEval(b, nil) },
		"evaluation":                          func(e *Engine, b *datasets.Batch) error { _, err := e.Eval(b, score.New(6), false); return err },
	}
	for what, call := range calls {
		t.Run(what, func(t *testing.T) {
			for name, b := range map[string]*datasets.Batch{"too few labels": &short, "labels of another size": &other} {
				e := newEngine(t, headOnly)
				for range 2 {
					require.ErrorContains(t, call(e, b), what, name)
				}
			}
			e := newEngine(t, headOnly)
			e.net.Encoder = "vgg99" // what NewEngine would not have let pass
			for range 2 {
				require.ErrorContains(t, call(e, good), what)
			}
		})
	}
	e := newEngine(t, headOnly)
	for range 2 {
		_, err := e.Masks(&other)
		require.ErrorContains(t, err, "prediction")
		_, err = e.Logits(&short)
		require.ErrorContains(t, err, "prediction")
	}
}
