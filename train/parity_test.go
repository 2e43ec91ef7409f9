package train

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/models"
)

// Ten steps of each net that PyTorch has trained for docs/parity.md give PyTorch's
// losses. The images there are normalised already, so the step is built from them
// as stepGraph builds it from bytes.
func TestParityOfOptimizers(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../models/testdata/parity/*.safetensors")
	require.NoError(t, err)
	kinds := map[string]int{}
	for _, path := range paths {
		file, err := checkpoints.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { file.Close() })
		var c struct {
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
		require.NoError(t, json.Unmarshal([]byte(file.Metadata()["case"]), &c))
		o := c.Optimizer
		if o == nil {
			continue
		}
		kinds[o.Kind]++
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
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
			images := tensors.FromFlatDataAndDimensions(channelsLast(readFloats(t, file, "input"), c.Batch, 3, h, w), c.Batch, h, w, 3)
			data, err := file.Read("labels")
			require.NoError(t, err)
			labels := tensors.FromFlatDataAndDimensions(data, c.Batch, h, w)

			exec, err := model.NewExec(cpu(t), store, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
				logits := e.net.Logits(scope, in[0], models.Pass{Training: true})
				return e.learn(e.loss(models.CrossEntropy(logits, in[1], nil)), in[2])
			})
			require.NoError(t, err)
			want := readFloats(t, file, "losses")
			require.Len(t, want, o.Steps)
			for step, loss := range want {
				out, err := exec.Exec(images, labels, tensors.FromScalar(float32(o.LR)))
				require.NoError(t, err)
				// A wrong decay, rate, momentum or sign moves a loss by 1e-3 or more.
				require.InEpsilon(t, loss, tensors.ToScalar[float32](out[0]), 1e-4, "step %d", step+1)
			}
		})
	}
	require.Equal(t, map[string]int{"sgd": 2, "adamw": 1}, kinds)
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
