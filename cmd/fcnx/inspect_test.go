package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

// inspect runs `fcnx inspect` in this process.
func inspect(t *testing.T, args string) string {
	t.Helper()
	var out, messages bytes.Buffer
	code := run(context.Background(), append([]string{"inspect"}, strings.Fields(args)...), strings.NewReader(""), &out, &messages)
	require.Zero(t, code, messages.String())
	require.Empty(t, messages.String())
	return out.String()
}

// The tables are as they were, and no line is wider than a terminal.
func TestInspectTables(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]string{
		"fcn8s":           "--model fcn8s",
		"fcn32s-paper":    "--model fcn32s --geometry paper --encoder vgg11 --size 500x375 --set preprocess.order=bgr --set preprocess.scale=1 --set preprocess.mean=[104.00699,116.66877,122.67892] --set preprocess.std=[1,1,1]",
		"fcn16s-atonce":   "--model fcn16s --encoder vgg13_bn --classes 5 --size 33x1 --set model.at_once=true --set model.upsample=bilinear --set model.width=8 --set model.head=64",
		"geometry-fcn8s":  "geometry 375x500 --model fcn8s --geometry paper",
		"geometry-fcn32s": "geometry 1x97 --model fcn32s --encoder vgg19",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := inspect(t, args)
			for line := range strings.Lines(got) {
				require.LessOrEqual(t, len(line), inspectWidth+1, line)
			}
			path := filepath.Join("testdata", "inspect", name+".golden")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o666))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

// The widest that there is of usual sizes fits too.
func TestInspectFitsATerminal(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"fcn32s", "fcn16s", "fcn8s"} {
		for _, args := range []string{
			"--size 2048x1024 --geometry paper --encoder vgg19_bn --set model.at_once=" + map[bool]string{true: "true", false: "false"}[arch != "fcn32s"],
			"--size 2048x1024 --set model.upsample=depthwise --classes 255",
		} {
			for line := range strings.Lines(inspect(t, "--model "+arch+" "+args)) {
				require.LessOrEqual(t, len(line), inspectWidth+1, line)
			}
		}
		for line := range strings.Lines(inspect(t, "geometry 2048x1024 --geometry paper --model "+arch)) {
			require.LessOrEqual(t, len(line), inspectWidth+1, line)
		}
	}
}

// What scripts read: the fields have these names and no others.
func TestInspectJSON(t *testing.T) {
	t.Parallel()
	text := inspect(t, "--model fcn8s --geometry paper --size 500x500 --set model.upsample=bilinear --json")
	var r inspectReport
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	require.EqualValues(t, 134_362_751, r.Parameters)
	var crops []int
	for _, l := range r.Layers {
		if l.Crop != nil {
			crops = append(crops, *l.Crop)
		}
	}
	require.Equal(t, []int{5, 9, 31}, crops)

	var top map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &top))
	require.Equal(t, []string{"activation_bytes", "batch", "classes", "format", "height", "layers", "model", "multiply_adds", "origin",
		"parameters", "parts", "preprocess", "source", "step", "width"}, slices.Sorted(maps.Keys(top)))
	require.JSONEq(t, `{"arch":"fcn8s","encoder":"vgg16","classes":21,"width":64,"head":4096,"upsample":"bilinear","geometry":"paper","dropout":0.5,"at_once":false}`, string(top["model"]))
	require.JSONEq(t, `{"order":"rgb","scale":0.00392156862745098,"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]}`, string(top["preprocess"]))
	require.Equal(t, "null", string(top["classes"]))
	require.Equal(t, "null", string(top["step"]))
	var layers []json.RawMessage
	require.NoError(t, json.Unmarshal(top["layers"], &layers))
	require.JSONEq(t, `{"name":"conv1_1","op":"conv","inputs":["images"],"height":698,"width":698,"channels":64,"kernel":3,"stride":1,"pad":100,
		"parameters":1792,"multiply_adds":841888512,"bytes":124724224,"field":{"size":3,"stride":1,"centre":-99}}`, string(layers[0]))
	require.JSONEq(t, `{"name":"score","op":"crop","inputs":["upscore8"],"height":500,"width":500,"channels":21,"crop":31,
		"parameters":0,"multiply_adds":0,"bytes":21000000,"field":{"size":468,"stride":1,"centre":0}}`, string(layers[len(layers)-1]))
}

func TestStats(t *testing.T) {
	t.Parallel()
	number := func(v float64) *event.Float { f := event.Float(v); return &f }
	raw := func(values ...float64) []byte {
		var b []byte
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
		}
		return b
	}
	for name, test := range map[string]struct {
		raw  []byte
		want statsReport
	}{
		"some":     {raw(-1, 0, 0, 5), statsReport{Count: 4, Min: number(-1), Max: number(5), Mean: number(1), Std: number(math.Sqrt(5.5)), Zeros: 0.5}},
		"one":      {raw(3), statsReport{Count: 1, Min: number(3), Max: number(3), Mean: number(3), Std: number(0)}},
		"broken":   {raw(2, math.NaN(), 4, math.Inf(-1)), statsReport{Count: 4, Min: number(2), Max: number(4), Mean: number(3), Std: number(1), NotFinite: 2}},
		"all gone": {raw(math.NaN()), statsReport{Count: 1, NotFinite: 1}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, statsOf(test.raw)) })
	}
	var b strings.Builder
	printStats(&b, []statsReport{{Variable: "fc6/weight", Count: 4, NotFinite: 4}})
	require.Contains(t, b.String(), "fc6/weight        4    -    -     -    -   0.0%")
	require.Contains(t, b.String(), "fc6/weight: 4 of its 4 numbers are NaN or Inf, and left out here")
}

func TestInspectJSONOfWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(struct {
		Memory memoryReport
		Stats  statsReport
	}{
		memoryReport{"cpu PJRT 0.81", 1, 2, 3, 4, memoryFigures{train.Memory{Arguments: 1, Outputs: 2, Aliased: 3, Temporaries: 4, Code: 5}, 6}, memoryFigures{}},
		statsReport{Variable: "fc7/bias", Shape: []int{1}, Count: 1, NotFinite: 1},
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"Memory":{"backend":"cpu PJRT 0.81","devices":1,"batch":2,"height":3,"width":4,
		"evaluation":{"arguments":1,"outputs":2,"aliased":3,"temporaries":4,"code":5,"needed":6},
		"training_step":{"arguments":0,"outputs":0,"aliased":0,"temporaries":0,"code":0,"needed":0}},
		"Stats":{"variable":"fc7/bias","shape":[1],"count":1,"min":null,"max":null,"mean":null,"std":null,"zeros":0,"not_finite":1}}`, string(text))
}

func TestFigure(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "-", 7: "7", 9_999: "9999", 10_000: "10.0 k", 999_949: "999.9 k", 999_950: "1.0 M", 134_362_751: "134.4 M",
		15_346_630_656: "15.3 G", 999_960_000_000: "1.0 T", 2_000_000_000_000_000: "2.0 P", 4_000_000_000_000_000_000: "4000.0 P",
	} {
		require.Equal(t, want, figure(n))
	}
}

func TestWrappedClasses(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	writeWrapped(&b, "classes  3: ", []string{"a\x1b[31mb", strings.Repeat("x", 70), "c"})
	require.Equal(t, "classes  3: a\ufffd[31mb,\n         "+strings.Repeat("x", 70)+",\n         c\n", b.String())
}

func TestInspectInput(t *testing.T) {
	t.Parallel()
	config := train.Default()
	type input struct{ h, w, batch int }
	of := func(o inspectOptions, isRun bool) input {
		h, w, batch, err := o.input(config, isRun)
		require.NoError(t, err)
		return input{h, w, batch}
	}
	require.Equal(t, input{512, 512, 1}, of(inspectOptions{}, false))
	require.Equal(t, input{512, 512, 8}, of(inspectOptions{}, true))
	config.Augment.Crop = "100x200"
	require.Equal(t, input{100, 200, 3}, of(inspectOptions{batch: 3}, true))
	config.Augment.Resize = "30x40"
	require.Equal(t, input{30, 40, 8}, of(inspectOptions{}, true))
	require.Equal(t, input{5, 6, 8}, of(inspectOptions{size: "5x6"}, true))
}
