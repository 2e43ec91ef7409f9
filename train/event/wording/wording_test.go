package wording_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
)

func pointer(v float64) *event.Float { f := event.Float(v); return &f }

func TestLines(t *testing.T) {
	for want, got := range map[string]string{
		"compiling training step 8x192x256":   wording.Phase(event.Phase{Name: event.PhaseCompile, Detail: "training step 8x192x256"}),
		"loading weights of runs/a":           wording.Phase(event.Phase{Name: event.PhaseLoad, Detail: "weights of runs/a"}),
		"evaluating 100 images":               wording.Phase(event.Phase{Name: event.PhaseEval, Detail: "100 images"}),
		"stage 2/3 a\ufffd[2J":                wording.Stage(event.Started{Stage: 2, Stages: 3, StageName: "a\x1b[2J"}),
		"":                                    wording.Stage(event.Started{Model: "fcn8s"}),
		"compiled evaluation 8x32x32 in 1.5s": wording.Compiled(event.Compiled{What: "evaluation 8x32x32", Seconds: 1.5}),
		"compiled a\ufffd in 12s beside training, needs 1.2 kB": wording.Compiled(event.Compiled{What: "a\x1b", Seconds: 12, Background: true,
			Memory: &event.CompiledMemory{Arguments: 1000, Outputs: 500, Aliased: 400, Temporaries: 100, Code: 34}}),
		"1.2% of the steps' time": wording.DataWait(0.0123),
		"2.0% of the steps' time": wording.DataWait(0.02),
		"12.0% of the steps' time: data.pack (or fcnx data pack) decodes each sample once, data.cache keeps them in memory, data.workers decodes more at a time": wording.DataWait(0.12),
		"training":                             wording.Phase(event.Phase{Name: event.PhaseTrain}),
		"saving":                               wording.Phase(event.Phase{Name: event.PhaseSave}),
		"dream":                                wording.Phase(event.Phase{Name: "dream"}),
		"hi":                                   wording.Note(event.Note{Level: event.LevelInfo, Text: "hi"}),
		"one; two":                             wording.Note(event.Note{Text: "one\ntwo\n"}),
		"warning: hi":                          wording.Note(event.Note{Level: event.LevelWarning, Text: "hi"}),
		"asked to stop":                        wording.Action(event.Action{Name: event.ActionStop}),
		"asked to dance  (a script)":           wording.Action(event.Action{Name: "dance", By: "a script"}),
		"asked to do the dishes":               wording.Action(event.Action{Name: "do_the_dishes"}),
		"interrupted at step 0 after 2h02m":    wording.Finished(event.Finished{Reason: event.ReasonInterrupted, Seconds: 7300}),
		"saved step-000000000020  0 B in ?":    wording.Saved(event.Saved{Path: "step-000000000020", Seconds: 1e300}),
		"saved a\ufffd[2J  67.1 MB in 0.2s":    wording.Saved(event.Saved{Path: "a\x1b[2J", Bytes: 64 << 20, Seconds: 0.21}),
		"saved \ufffd(\ufffd  1 B in 1m15s":    wording.Saved(event.Saved{Path: "\xc3\x28\xff", Bytes: 1, Seconds: 75}),
		"saved step-1  1.1 GB in 12s  best":    wording.Saved(event.Saved{Path: "step-1", Bytes: 1_134_000_000, Seconds: 12.3, Best: true}),
		"asked to save: it is  (a; b; \ufffd)": wording.Action(event.Action{Name: event.ActionSave, By: "a\nb\r\n\u202e", Text: "it is"}),
		"eval at step 20  mIoU 0.4124  accuracy 0.8700  loss 0.6000  100 images in 1.5s  best": wording.Eval(event.Eval{
			Step: 20, Samples: 100, MeanIoU: 0.41236, PixelAccuracy: 0.87, Loss: 0.6, Seconds: 1.5, Best: true}),
		"asked to halve the learning rate: 0.5 times the schedule's from here on  (watch, process 1)": wording.Action(event.Action{
			Name: event.ActionHalveLR, By: "watch, process 1", Text: "0.5 times the schedule's from here on"}),
		"diverged at step 9 after 4.1s  best mIoU 0.5000 at step 8  the loss is NaN; run again": wording.Finished(event.Finished{
			Step: 9, Reason: event.ReasonDiverged, Seconds: 4.1, BestIoU: pointer(0.5), BestStep: 8, Error: "the loss is NaN\nrun again"}),
	} {
		require.Equal(t, want, got)
	}
}
