package sink_test

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func pointer(v float64) *event.Float { f := event.Float(v); return &f }

var started = event.Started{Head: at(0), Run: "shapes-fcn8s", Version: "0.1.0", Model: "fcn8s", Encoder: "vgg16_bn", Params: 8_412_345,
	Classes: []string{"background", "disc", "box"}, Data: "shapes", Train: 800, Val: 100, Backend: "cpu", Plugin: "cpu 0.0.1", Seed: 1, Steps: 40, Batch: 8}

// steps are from..to, half a second each, beginning at second.
func steps(from, to int64, second float64) []event.Record {
	var records []event.Record
	for n := from; n <= to; n++ {
		records = append(records, event.Step{Head: at(second), Step: n, Epoch: float64(n) / 100, Loss: event.Float(2 / float64(n)),
			LR: 0.05 * (1 - float64(n)/40), DataMS: 5, StepMS: 495, Images: 8})
		second += 0.5
	}
	return records
}

func TestPlain(t *testing.T) {
	whole := []event.Record{
		started,
		event.Phase{Head: at(0), Name: event.PhaseLoad, Detail: "weights of runs/shapes-fcn16s"},
		event.Phase{Head: at(1), Name: event.PhaseCompile, Detail: "training step 8x192x256"},
		event.Phase{Head: at(20), Name: event.PhaseTrain},
	}
	whole = append(whole, steps(1, 20, 20)...)
	whole = append(whole,
		event.Phase{Head: at(30), Name: event.PhaseEval, Step: 20, Detail: "100 images"},
		event.Eval{Head: at(34), Step: 20, Epoch: 0.2, Samples: 100, MeanIoU: 0.41236, PixelAccuracy: 0.87, Loss: 0.6, Seconds: 1.5, Best: true},
		event.Phase{Head: at(34), Name: event.PhaseSave, Step: 20},
		event.Preview{Head: at(34), Step: 20, Images: []event.PreviewImage{{ID: "a", Truth: "preview/0.png"}}}, // silent, as is the next
		event.System{Head: at(34), Step: 20, CPUPercent: 196},
		event.Saved{Head: at(35), Step: 20, Path: "step-000000000020", Bytes: 64 << 20, Seconds: 0.21, Best: true},
		event.Note{Head: at(35), Step: 20, Level: event.LevelWarning, Text: "17% of every batch is padding; try data.buckets = 8"},
		event.Note{Head: at(35), Step: 20, Level: event.LevelInfo, Text: "stopping after this step (SIGINT)"},
		event.Action{Head: at(35), Step: 20, Name: event.ActionSave, By: "watch, process 4711 on host", Text: "step 20 is saved already"},
		event.Action{Head: at(35), Step: 20, Name: event.ActionEvaluate, By: "watch, process 4711 on host"},
	)
	whole = append(whole, steps(21, 40, 35)...)
	whole = append(whole,
		event.Phase{Head: at(45), Name: event.PhaseEval, Step: 40, Detail: "100 images"}, // short last time: silent
		event.Eval{Head: at(48), Step: 40, Epoch: 0.4, Samples: 100, MeanIoU: 0.4, PixelAccuracy: 0.86, Loss: 0.7, Seconds: 75},
		event.Finished{Head: at(48), Step: 40, Reason: event.ReasonDone, Seconds: 48, BestIoU: pointer(0.41236), BestStep: 20},
	)

	diverged := append([]event.Record{started}, steps(1, 8, 0)...)
	diverged = append(diverged,
		event.Step{Head: at(4), Step: 9, Loss: event.Float(math.NaN()), LR: 0.05, StepMS: 500, Images: 8},
		event.Finished{Head: at(4.1), Step: 9, Reason: event.ReasonDiverged, ExitCode: 3, Seconds: 4.1,
			Error: "the loss is NaN at step 9\nlast good checkpoint: step-000000000008"})

	again := started
	again.Resumed, again.Step = true, 20
	resumed := append([]event.Record{again}, steps(21, 26, 0)...) // and then killed

	hostile := []event.Record{
		event.Started{Head: at(0), Run: "a\x1b[31m", Model: "b\rc", Encoder: "\u202e", Data: "\a", Backend: "\u009b2J"},
		event.Phase{Head: at(0), Name: event.PhaseLoad, Detail: "\x1b]0;title\a"},
		event.Saved{Head: at(0), Path: "\x1b[2J"},
		event.Action{Head: at(0), Name: "\x1b[m", By: "\x1b[2J", Text: "\r"},
		event.Note{Head: at(0), Level: "\x1b", Text: "\x1b[2J"},
		event.Action{Head: at(0), Name: "\x1b", By: "\x1b[2J", Text: "a\nb"},
		event.Finished{Head: at(0), Reason: "\x1b", Error: "\x1b[0m"},
	}

	first, second := started, started
	first.Model, first.Stage, first.Stages, first.StageName, first.StageTo = "fcn16s", 1, 2, "fcn16s", 20
	second.Step, second.Stage, second.Stages, second.StageName, second.StageFrom, second.StageTo = 20, 2, 2, "fcn8s", 20, 40
	staged := append([]event.Record{first}, steps(18, 20, 0)...)
	staged = append(append(staged, second), steps(21, 23, 2)...)
	second.Resumed, second.Step = true, 22
	staged = append(append(staged, second), steps(23, 24, 9)...)

	sum := append([]event.Record{event.Started{Head: at(0), Run: "sum", Model: "fcn32s", Encoder: "vgg16"}},
		event.Step{Head: at(1), Step: 1, Loss: 412345.678, LR: 1e-10, DataMS: 0.25, StepMS: 3.5, Images: 1},
		event.Step{Head: at(9), Step: 2, Loss: 1e-5, LR: 1e-10, StepMS: 60_000, Images: 1},
		event.Step{Head: at(10), Step: 3, Loss: 0, LR: 1e-10})

	// Each of three shapes is compiled when its first batch comes, which says nothing of the others.
	shapes := steps(1, 2, 20)
	for _, second := range []float64{21, 42} {
		shapes = append(shapes, event.Phase{Head: at(second), Name: event.PhaseCompile, Detail: "training step 8x64x64"}, event.Phase{Head: at(second + 20), Name: event.PhaseTrain})
		shapes = append(shapes, steps(int64(second)/7, int64(second)/7+1, second+20.5)...)
	}

	for name, records := range map[string][]event.Record{"shapes": append([]event.Record{started}, shapes...), "whole": whole, "diverged": diverged, "resumed": resumed, "hostile": hostile, "sum": sum, "staged": staged} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			p := sink.NewPlain(&b, 3*time.Second)
			for _, r := range records {
				require.NoError(t, p.Handle(r))
			}
			require.NoError(t, p.Close())
			golden := filepath.Join("testdata", "plain-"+name+".golden")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(golden, b.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), b.String())
			require.NotContains(t, b.String(), "\x1b")
		})
	}
}
