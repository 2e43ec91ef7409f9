package event_test

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func pointer(f event.Float) *event.Float { return &f }

// everyRecord has one of each kind, with every field set.
func everyRecord() []event.Record {
	head := event.Head{Time: noon}
	return []event.Record{
		event.Started{Head: head, Run: "shapes-fcn8s", Version: "0.1.0", PID: 4711, Model: "fcn8s", Encoder: "vgg16_bn",
			Params: 134_362_751, Classes: []string{"background", "disc"}, Data: "shapes", Train: 800, Val: 100,
			Backend: "cpu", Plugin: "cpu 0.0.1", Devices: 1, Seed: math.MaxUint64, Step: 20, Steps: 1840, Epochs: 18.4, Batch: 8, Resumed: true,
			Colors: []string{"#000000", "#faaa1e"}, EvalEvery: 92, SaveEvery: 500, Warmup: 50, LoadSeconds: 1.8,
			Stage: 2, Stages: 3, StageName: "sixteen", StageFrom: 10, StageTo: 30},
		event.Phase{Head: head, Name: event.PhaseCompile, Step: 3, Detail: "training step 8x192x256"},
		event.Compiled{Head: head, Step: 3, What: "training step 8x192x256", Seconds: 5.5, Background: true,
			Memory: &event.CompiledMemory{Arguments: 1 << 30, Outputs: 1 << 29, Aliased: 1 << 28, Temporaries: 1 << 27, Code: 1}},
		event.Step{Head: head, Step: 120, Epoch: 2.6, Loss: 0.8123, LR: 0.049, DataMS: 2.31, StepMS: 228.7, ReadMS: 0.4, TellMS: 0.006, Images: 7, Skipped: 1, GradNorm: pointer(12.5)},
		event.Eval{Head: head, Step: 230, Epoch: 5, Samples: 98, Skipped: 2, PixelAccuracy: 0.9, MeanAccuracy: 0.7, MeanIoU: 0.6, FwIoU: 0.8, Loss: 0.31,
			ClassIoU: map[string]*event.Float{"background": pointer(0.95), "disc": nil}, Seconds: 4.5, Best: true},
		event.Saved{Head: head, Step: 230, Path: "step-000000000230", Bytes: 1 << 29, Seconds: 0.3, HeldSeconds: 0.1, Best: true},
		event.Note{Head: head, Step: 230, Level: event.LevelWarning, Text: "a -> b & <c>\nsecond line"},
		event.System{Head: head, Step: 231, CPUPercent: 196, Cores: 2, RSS: 1 << 30, Memory: 24 << 30, Free: 20 << 30, Disk: 80 << 30,
			GPUs: []event.GPU{{Name: "NVIDIA H100", Utilization: 97, Used: 20 << 30, Memory: 80 << 30, Watts: 480, Celsius: 61}}},
		event.Preview{Head: head, Step: 230, Images: []event.PreviewImage{{ID: "val/0016E5", Truth: "preview/0.png",
			Result: "preview/step-000000000230-0.png", Errors: 0.12, Boundary: 0.61, Worst: "pole"}}},
		event.Action{Head: head, Step: 231, Name: event.ActionHalveLR, By: "watch, process 4711 on host", Text: "learning rate times 0.5 from here on"},
		event.Finished{Head: head, Step: 1840, Reason: event.ReasonDiverged, Error: "loss is NaN", ExitCode: 3, Seconds: 422.5,
			BestIoU: pointer(0.61), BestStep: 1610},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, want := range everyRecord() {
		t.Run(string(want.EventKind()), func(t *testing.T) {
			line, err := event.Marshal(want)
			require.NoError(t, err)
			require.True(t, bytes.HasPrefix(line, []byte(`{"kind":"`+string(want.EventKind())+`","time":"2026-03-01T12:00:00.123456789Z",`)), "%s", line)
			require.NotContains(t, string(line), "\n")
			got, err := event.Unmarshal(line)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestLineIsAsDocumented(t *testing.T) {
	line, err := event.Marshal(event.Step{Head: event.Head{Time: noon}, Step: 1, Epoch: 0.01, Loss: event.Float(math.NaN()), LR: 0.05, DataMS: 1.5, StepMS: 200, Images: 8})
	require.NoError(t, err)
	require.Equal(t, `{"kind":"step","time":"2026-03-01T12:00:00.123456789Z","step":1,"epoch":0.01,"loss":"NaN","lr":0.05,"data_ms":1.5,"step_ms":200,"images":8}`, string(line))

	line, err = event.Marshal(event.Note{Text: "a -> b"})
	require.NoError(t, err)
	require.Contains(t, string(line), `"text":"a -> b"`)
}

func TestNumbersThatAreNone(t *testing.T) {
	for _, want := range []float64{math.Inf(1), math.Inf(-1)} {
		line, err := event.Marshal(event.Step{Loss: event.Float(want)})
		require.NoError(t, err)
		got, err := event.Unmarshal(line)
		require.NoError(t, err)
		require.Equal(t, want, float64(got.(event.Step).Loss))
	}
	line, err := event.Marshal(event.Eval{ClassIoU: map[string]*event.Float{"a": nil, "b": pointer(event.Float(math.NaN()))}})
	require.NoError(t, err)
	require.Contains(t, string(line), `"class_iou":{"a":null,"b":"NaN"}`)
	got, err := event.Unmarshal(line)
	require.NoError(t, err)
	require.True(t, math.IsNaN(float64(*got.(event.Eval).ClassIoU["b"])))
}

func TestNewerWriter(t *testing.T) {
	// A field that is new is ignored.
	got, err := event.Unmarshal([]byte(`{"kind":"note","time":"2026-03-01T12:00:00Z","text":"hi","colour":"red"}`))
	require.NoError(t, err)
	require.Equal(t, "hi", got.(event.Note).Text)

	// A kind that is new comes through as it was, and goes out again the same.
	line := `{"kind":"weather","time":"2026-03-01T12:00:00.123456789Z","rain":[1,2]}`
	got, err = event.Unmarshal([]byte(line + "\n"))
	require.NoError(t, err)
	require.Equal(t, event.Kind("weather"), got.EventKind())
	require.Equal(t, noon, got.At())
	again, err := event.Marshal(got)
	require.NoError(t, err)
	require.Equal(t, line, string(again))
}

func TestUnmarshalErrors(t *testing.T) {
	tests := []struct{ line, want string }{
		{``, `not JSON at byte 0: unexpected end of JSON input`},
		{`{"kind":"step",`, `not JSON at byte 15: unexpected end of JSON input`},
		{`[1]`, `a JSON array, where a record is an object`},
		{`null`, `no "kind"`},
		{`{"time":"2026-03-01T12:00:00Z"}`, `no "kind"`},
		{`{"kind":"","time":"2026-03-01T12:00:00Z"}`, `no "kind"`},
		{`{"kind":"step"}`, `no "time"`},
		{`{"kind":7,"time":"2026-03-01T12:00:00Z"}`, `"kind" does not hold a number`},
		{`{"kind":"step","time":"2026-03-01T12:00:00Z","step":1.5}`, `step record: "step" does not hold a number 1.5`},
		{`{"kind":"step","time":"2026-03-01T12:00:00Z","loss":"big"}`, `step record: "big" is not a number`},
	}
	for _, test := range tests {
		_, err := event.Unmarshal([]byte(test.line))
		require.EqualError(t, err, test.want, "%s", test.line)
	}
}

func TestMarshalErrors(t *testing.T) {
	_, err := event.Marshal(nil)
	require.EqualError(t, err, "no record")
	_, err = event.Marshal(event.Step{LR: math.NaN()})
	require.ErrorContains(t, err, "step record: ")
	_, err = event.Marshal(event.Note{Text: strings.Repeat("x", event.MaxLine)})
	require.ErrorContains(t, err, "note record of")
}

// The page that describes the records is held to the code: each line of JSON on
// it is a record, and each field of each record is named.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/events.md")
	require.NoError(t, err)
	examples := map[event.Kind]bool{}
	lines := bufio.NewScanner(bytes.NewReader(page))
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), `{"kind"`) {
			continue
		}
		rec, err := event.Unmarshal(lines.Bytes())
		require.NoError(t, err, lines.Text())
		// Written again it must be the same: no field that is misspelt, none out
		// of order.
		again, err := event.Marshal(rec)
		require.NoError(t, err)
		require.Equal(t, lines.Text(), string(again))
		examples[rec.EventKind()] = true
	}
	for _, rec := range everyRecord() {
		require.True(t, examples[rec.EventKind()], "docs/events.md has no example of %q", rec.EventKind())
		for _, name := range fieldNames(rec) {
			require.Contains(t, string(page), "`"+name+"`", "docs/events.md does not say what %q of %q is", name, rec.EventKind())
		}
	}
}
