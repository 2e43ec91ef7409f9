package train

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/device/devicetest"
	"github.com/fcnx/fcnx/models"
)

// trained is the case of a golden that PyTorch has trained (docs/parity.md).
type trained struct {
	Arch, Encoder, Upsample, Geometry string
	Classes, Width, Head, Batch       int
	Size                              [2]int
	AtOnce                            bool `json:"at_once"`
	Optimizer                         *struct {
		Kind                  string
		LR, Momentum          float64
		Beta1, Beta2, Epsilon float64
		Steps                 int
		Nesterov              bool
		Decay                 float64 `json:"weight_decay"`
		BiasLR                float64 `json:"bias_lr"`
	}
}

// everyBatch is what make parity asks for: to compile takes six seconds of a core each.
var everyBatch = flag.Bool("every", false, "train the nets of docs/parity.md on both of their batches, and not on one in turns")

// Each net that PyTorch has trained gives PyTorch's losses, step by step, on its batch
// or on the first image alone: each arch, geometry and kind of encoder has both.
func TestParityOfOptimizers(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../models/testdata/parity/*.safetensors")
	require.NoError(t, err)
	covered := map[string]int{}
	for _, path := range paths {
		file, err := checkpoints.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { file.Close() })
		var c trained
		require.NoError(t, json.Unmarshal([]byte(file.Metadata()["case"]), &c))
		if c.Optimizer == nil {
			continue
		}
		for _, batch := range c.batches() {
			covered[fmt.Sprintf("%s %s %s bn=%v", c.Optimizer.Kind, c.Arch, c.Geometry, c.normed())]++
			losses := "losses"
			if batch < c.Batch {
				losses = "losses_first"
			}
			t.Run(filepath.Base(path)+"/"+losses, func(t *testing.T) {
				t.Parallel()
				requireTorchLosses(t, file, c, batch, readFloats(t, file, losses))
			})
		}
	}
	times := 1
	if *everyBatch {
		times = 2
	}
	want := map[string]int{"adamw fcn8s same bn=false": 1}
	for _, arch := range []string{"fcn32s", "fcn16s", "fcn8s"} {
		for _, geometry := range []string{"same", "paper"} {
			for _, norm := range []bool{false, true} {
				want[fmt.Sprintf("sgd %s %s bn=%v", arch, geometry, norm)] = times
			}
		}
	}
	require.Equal(t, want, covered)
}

func (c trained) normed() bool { return strings.HasSuffix(c.Encoder, "_bn") }

// batches are the sizes of the batches to train on. Three images and one go in turns
// like the squares of a chessboard: of two nets that differ in arch's neighbour,
// geometry or batch norm alone, one has three and the other one.
func (c trained) batches() []int {
	if c.Batch == 1 || *everyBatch {
		return slices.Compact([]int{c.Batch, 1})
	}
	odd := c.normed() != (c.Geometry == models.Paper) != (c.Arch == "fcn16s")
	if odd {
		return []int{1}
	}
	return []int{c.Batch}
}

// requireTorchLosses trains on the first images of the file's batch. These are normalised
// already, so the step is built from them as stepGraph builds it from bytes.
func requireTorchLosses(t *testing.T, file *checkpoints.File, c trained, batch int, want []float32) {
	o := c.Optimizer
	require.Len(t, want, o.Steps)
	require.Equal(t, []float64{0.9, 0.999, 1e-8}, []float64{o.Beta1, o.Beta2, o.Epsilon})
	store := model.NewStore()
	e := &Engine{
		net: models.Config{Arch: c.Arch, Encoder: c.Encoder, Classes: c.Classes, Width: c.Width, Head: c.Head,
			Upsample: c.Upsample, Geometry: c.Geometry, AtOnce: c.AtOnce},
		cfg: TrainConfig{Optimizer: o.Kind, Momentum: o.Momentum, Nesterov: o.Nesterov, WeightDecay: o.Decay,
			BiasLR: o.BiasLR, EncoderLR: 1, HeadLR: 1, Loss: "mean"},
		store: store,
	}
	for _, v := range e.net.Variables() {
		values := fromTorch(readFloats(t, file, v.Layer+"."+v.Name), v)
		_, err := store.CreateVariable("/"+v.Path(), tensors.FromFlatDataAndDimensions(values, v.Shape...))
		require.NoError(t, err)
	}
	h, w := c.Size[0], c.Size[1]
	pixels := readFloats(t, file, "input")[:batch*3*h*w]
	images := tensors.FromFlatDataAndDimensions(channelsLast(pixels, batch, 3, h, w), batch, h, w, 3)
	data, err := file.Read("labels")
	require.NoError(t, err)
	labels := tensors.FromFlatDataAndDimensions(data[:batch*h*w], batch, h, w)

	exec, err := model.NewExec(onXLA(t), store, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
		logits := e.net.Logits(scope, in[0], models.Pass{Training: true})
		return e.learn(e.loss(models.CrossEntropy(logits, in[1], nil)), nil, in[2])
	})
	require.NoError(t, err)
	var tolerance struct{ Losses float64 }
	text, err := os.ReadFile("../models/testdata/parity/tolerances.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &tolerance))
	worst := 0.0
	for step, loss := range want {
		out, err := exec.Exec(images, labels, tensors.FromScalar(float32(o.LR)))
		require.NoError(t, err)
		got := tensors.ToScalar[float32](out[0])
		require.InEpsilon(t, loss, got, devicetest.Tolerance(tolerance.Losses), "step %d", step+1)
		worst = max(worst, math.Abs(float64(got-loss))/float64(loss))
	}
	t.Logf("%d steps, at most %.0e off", len(want), worst)
}

func readFloats(t *testing.T, file *checkpoints.File, name string) []float32 {
	t.Helper()
	data, err := file.Read(name)
	require.NoError(t, err)
	values := make([]float32, len(data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values
}

// fromTorch turns kernels into fcnx's layout: convolutions from [out,in,k,k],
// upsampling from [in,out,k,k], where a depthwise one has in = C and out = 1.
func fromTorch(values []float32, v models.Variable) []float32 {
	var a, b int
	switch v.Role {
	case models.ConvWeight:
		b, a = v.Shape[2], v.Shape[3]
	case models.UpsampleDense:
		a, b = v.Shape[2], v.Shape[3]
	case models.UpsampleDepth:
		a, b = v.Shape[2], 1
	default:
		return values
	}
	h, w := v.Shape[0], v.Shape[1]
	out := make([]float32, len(values))
	for i, value := range values {
		x, y, q, p := i%w, i/w%h, i/w/h%b, i/w/h/b
		if v.Role == models.ConvWeight {
			out[((y*w+x)*b+q)*a+p] = value
		} else {
			out[((y*w+x)*a+p)*b+q] = value
		}
	}
	return out
}

// channelsLast turns [N,C,H,W] into [N,H,W,C].
func channelsLast(values []float32, n, c, h, w int) []float32 {
	out := make([]float32, n*c*h*w)
	for i, value := range values {
		x, y, k, s := i%w, i/w%h, i/w/h%c, i/w/h/c
		out[((s*h+y)*w+x)*c+k] = value
	}
	return out
}
