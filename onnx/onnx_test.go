package onnx_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/onnx"
)

var update = flag.Bool("update", false, "write the golden files anew")

// tiny is a network that an interpreter can run.
func tiny(arch, geometry string) models.Config {
	return models.Config{Arch: arch, Encoder: "vgg11", Classes: 3, Width: 1, Head: 2, Upsample: models.Depthwise, Geometry: geometry}
}

// chance are weights in any layout.
func chance(v models.Variable, w io.Writer) error {
	rng := rand.New(rand.NewPCG(1, uint64(len(v.Path()))))
	values := make([]float32, v.Size())
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	return binary.Write(w, binary.LittleEndian, values)
}

func write(t *testing.T, net models.Config, o onnx.Options, weights func(models.Variable, io.Writer) error) *onnxModel {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, onnx.Write(&b, net, o, weights))
	m := readModel(t, b.Bytes())
	m.requireWhole(t)
	return m
}

// requireNear allows what float32 loses: a millionth of the largest value.
func requireNear(t *testing.T, want, got []float64) {
	t.Helper()
	require.Len(t, got, len(want))
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i, v := range want {
		if off := math.Abs(v - got[i]); !(off <= 1e-6*largest) {
			t.Fatalf("value %d is %v, not %v", i, got[i], v)
		}
	}
}

// TestPyTorchAgrees runs the models of all nets of docs/parity.md, with the weights
// that PyTorch wrote, and finds the logits that PyTorch found.
func TestPyTorchAgrees(t *testing.T) {
	paths, err := filepath.Glob("../models/testdata/parity/*.safetensors")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".safetensors"), func(t *testing.T) {
			t.Parallel()
			file, err := checkpoints.Open(path)
			require.NoError(t, err)
			defer file.Close()
			var c struct {
				Arch, Encoder, Upsample, Geometry string
				Classes, Width, Head              int
				AtOnce                            bool `json:"at_once"`
			}
			require.NoError(t, json.Unmarshal([]byte(file.Metadata()["case"]), &c))
			net := models.Config{Arch: c.Arch, Encoder: c.Encoder, Classes: c.Classes, Width: c.Width, Head: c.Head,
				Upsample: c.Upsample, Geometry: c.Geometry, AtOnce: c.AtOnce}
			m := write(t, net, onnx.Options{Logits: true}, func(v models.Variable, w io.Writer) error {
				raw, err := file.Read(v.Layer + "." + v.Name)
				if err == nil {
					_, err = w.Write(raw)
				}
				return err
			})
			tensors := map[string]array{}
			for _, info := range file.Infos() {
				if info.Name == "input" || info.Name == "logits" {
					raw, err := file.Read(info.Name)
					require.NoError(t, err)
					a := newArray(isFloat, info.Shape...)
					for i := range a.values {
						a.values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
					}
					tensors[info.Name] = a
				}
			}
			got, want := m.run(t, tensors["input"])["logits"], tensors["logits"]
			require.Equal(t, want.dims, got.dims)
			requireNear(t, want.values, got.values)
		})
	}
}

// The preprocessing of a model is the formula of docs/configuration.md, and its mask
// the first of the best classes.
func TestPreprocessInside(t *testing.T) {
	p := models.Preprocess{Scale: 0.5, Mean: [3]float64{1, 20, 30}, Std: [3]float64{2, 3, 5}}
	h, w := 33, 20
	pixels := newArray(isUint8, 2, h, w, 3)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range pixels.values {
		pixels.values[i] = float64(rng.IntN(256))
	}
	for _, bgr := range []bool{false, true} {
		t.Run(fmt.Sprintf("bgr %v", bgr), func(t *testing.T) {
			p.BGR = bgr
			normalised := newArray(isFloat, 2, 3, h, w)
			normalised.each(func(at []int) {
				channel := at[1]
				if bgr {
					channel = 2 - channel
				}
				x := pixels.values[pixels.at(at[0], at[2], at[3], channel)]
				normalised.values[normalised.at(at...)] = (x*p.Scale - p.Mean[at[1]]) / p.Std[at[1]]
			})
			net := tiny("fcn16s", models.Same)
			inside := write(t, net, onnx.Options{Inside: &p, Logits: true, Mask: true}, chance)
			outside := write(t, net, onnx.Options{Logits: true}, chance)
			require.Equal(t, []onnxValue{{"images", isUint8, []string{"batch", "height", "width", "3"}}}, inside.inputs)
			require.Equal(t, []onnxValue{{"images", isFloat, []string{"batch", "3", "height", "width"}}}, outside.inputs)

			out := inside.run(t, pixels)
			want := outside.run(t, normalised)["logits"]
			require.Equal(t, want.dims, out["logits"].dims)
			requireNear(t, want.values, out["logits"].values)
			scores, mask := out["logits"], out["mask"]
			require.Equal(t, []int{2, h, w}, mask.dims)
			seen := map[float64]bool{}
			mask.each(func(at []int) {
				best := 0
				for c := range net.Classes {
					if scores.values[scores.at(at[0], c, at[1], at[2])] > scores.values[scores.at(at[0], best, at[1], at[2])] {
						best = c
					}
				}
				require.EqualValues(t, best, mask.values[mask.at(at...)], at)
				seen[float64(best)] = true
			})
			require.Greater(t, len(seen), 1, "a mask of one class shows nothing")
		})
	}
}

// What a model is made of, for the eyes of whoever changes it.
func TestNodes(t *testing.T) {
	for name, c := range map[string]struct {
		net models.Config
		o   onnx.Options
	}{
		"fcn8s-same-inside":     {tiny("fcn8s", models.Same), onnx.Options{Inside: &models.Preprocess{BGR: true, Std: [3]float64{1, 1, 1}}, Mask: true}},
		"fcn16s-paper-bilinear": {models.Config{Arch: "fcn16s", Encoder: "vgg11_bn", Classes: 2, Width: 1, Head: 2, Upsample: models.Bilinear, Geometry: models.Paper, AtOnce: true}, onnx.Options{Logits: true, Mask: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got := write(t, c.net, c.o, chance).text()
			path := filepath.Join("testdata", name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o666))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

func TestWordsAboutTheModel(t *testing.T) {
	m := write(t, tiny("fcn32s", models.Same), onnx.Options{
		Logits: true, Version: "1.2", Doc: "a net", Metadata: map[string]string{"b": "2", "a": "é\xff"},
	}, chance)
	require.EqualValues(t, 8, m.ir)
	require.EqualValues(t, 17, m.opset)
	require.EqualValues(t, 1, m.modelVersion)
	require.Empty(t, m.domain)
	require.Equal(t, []string{"fcnx", "1.2", "a net", "fcn32s"}, []string{m.producer, m.version, m.doc, m.name})
	require.Equal(t, map[string]string{"a": "é\ufffd", "b": "2"}, m.metadata)
}

// Weights are asked for in order, each when the one before has been written.
func TestWeightsAreAskedOneByOne(t *testing.T) {
	net := tiny("fcn8s", models.Paper)
	var asked []models.Variable
	m := write(t, net, onnx.Options{Logits: true}, func(v models.Variable, w io.Writer) error {
		asked = append(asked, v)
		return chance(v, w)
	})
	require.Equal(t, net.Variables(), asked)
	for i, v := range asked {
		require.Equal(t, v.Layer+"."+v.Name, m.order[i])
	}
}

func TestErrors(t *testing.T) {
	net := tiny("fcn32s", models.Same)
	logits := onnx.Options{Logits: true}
	broken := errors.New("the disk is gone")
	never := func(models.Variable, io.Writer) error { t.Fatal("weights were asked for"); return nil }

	require.ErrorContains(t, onnx.Write(io.Discard, models.Config{}, logits, never), "model.arch")
	require.ErrorContains(t, onnx.Write(io.Discard, net, onnx.Options{}, never), "without outputs")

	large := net
	large.Width, large.Head = 64, 30000
	err := onnx.Write(io.Discard, large, logits, never)
	require.ErrorContains(t, err, " GB, and one file holds less than 2 GiB")

	require.ErrorIs(t, onnx.Write(io.Discard, net, logits, func(models.Variable, io.Writer) error { return broken }), broken)
	require.ErrorIs(t, onnx.Write(fails{broken}, net, logits, chance), broken)
	require.ErrorContains(t, onnx.Write(io.Discard, net, logits, func(v models.Variable, w io.Writer) error {
		_, err := w.Write(make([]byte, 3))
		return err
	}), "conv1_1.weight has 3 bytes, and 108 were announced")
}

type fails struct{ err error }

func (f fails) Write([]byte) (int, error) { return 0, f.err }
