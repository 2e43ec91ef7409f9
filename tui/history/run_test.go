package history_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui/history"
)

func at(seconds float64) event.Head {
	return event.Head{Time: noon.Add(time.Duration(seconds * float64(time.Second)))}
}

func float(v float64) *event.Float { f := event.Float(v); return &f }

func TestStates(t *testing.T) {
	r := history.New()
	require.Equal(t, history.Waiting, r.State())
	r.Lose(noon)
	require.Equal(t, history.Waiting, r.State(), "nothing was there to be lost")
	for _, step := range []struct {
		rec  event.Record
		want history.State
	}{
		{event.Note{Head: at(0), Text: "hi"}, history.Waiting},
		{event.Phase{Head: at(0), Name: event.PhaseLoad}, history.Loading},
		{event.Started{Head: at(1), Steps: 10}, history.Loading},
		{event.Phase{Head: at(2), Name: event.PhaseCompile}, history.Compiling},
		{event.Phase{Head: at(3), Name: event.PhaseTrain}, history.Training},
		{event.Phase{Head: at(4), Name: "dream"}, history.Training},
		{event.Phase{Head: at(5), Name: event.PhaseEval}, history.Evaluating},
		{event.Phase{Head: at(6), Name: event.PhaseSave}, history.Saving},
		{event.Step{Head: at(7), Step: 1}, history.Training}, // a phase was missed
		{event.Finished{Head: at(8), Reason: event.ReasonDone}, history.Done},
		{event.Step{Head: at(9), Step: 2}, history.Done},
		{event.Phase{Head: at(9), Name: event.PhaseSave}, history.Done},
		{event.Started{Head: at(10), Resumed: true, Step: 2}, history.Loading},
		{event.Finished{Head: at(11), Reason: event.ReasonInterrupted}, history.Stopped},
		{event.Started{Head: at(12), Resumed: true, Step: 2}, history.Loading},
		{event.Finished{Head: at(13), Reason: event.ReasonDiverged}, history.Diverged},
		{event.Started{Head: at(14), Resumed: true, Step: 2}, history.Loading},
		{event.Finished{Head: at(15), Reason: event.ReasonFailed}, history.Failed},
		{event.Finished{Head: at(15), Reason: "bored", ExitCode: 9}, history.Failed},
		{event.Finished{Head: at(15), Reason: "bored"}, history.Done},
		{event.Unknown{Head: at(15), Kind: "weather"}, history.Done},
		{nil, history.Done},
	} {
		r.Add(step.rec)
		require.Equal(t, step.want, r.State(), "%T %v", step.rec, step.rec)
	}
	_, over := r.Finished()
	require.True(t, over)
	r.Add(event.Started{Head: at(20), Resumed: true, Step: 2})
	_, over = r.Finished()
	require.False(t, over)
	r.Lose(noon)
	require.Equal(t, history.Lost, r.State())
	require.True(t, r.State().Over())
	lines := len(r.Log())
	r.Lose(noon)
	require.Len(t, r.Log(), lines, "it is lost once")
	r.Add(event.Note{Head: at(21), Text: "hello"})
	require.Equal(t, history.Lost, r.State(), "a note says nothing of the process")
	spent := r.Elapsed(at(22).Time)
	r.Add(event.System{Head: at(22)}) // it goes on speaking: it was the lock that could not be seen
	require.Equal(t, history.Training, r.State())
	require.Greater(t, r.Elapsed(at(25).Time), spent)
	r.Lose(at(26).Time)
	r.Add(event.Started{Head: at(30), Resumed: true, Step: 2})
	require.Equal(t, history.Loading, r.State())
}

// A resumed run makes obsolete what the process before did after the checkpoint.
func TestResume(t *testing.T) {
	r := history.New()
	classes := []string{"a", "b"}
	r.Add(event.Started{Head: at(0), Steps: 200, Classes: classes})
	for step := int64(1); step <= 130; step++ {
		r.Add(event.Step{Head: at(float64(step)), Step: step, Epoch: float64(step) / 10, Loss: event.Float(step), LR: 0.1, GradNorm: float(2), StepMS: 500, Images: 4})
		if step%20 == 0 {
			iou := float64(step) / 1000
			r.Add(event.Eval{Head: at(float64(step)), Step: step, MeanIoU: event.Float(iou), ClassIoU: map[string]*event.Float{"a": float(iou), "c": float(1)}, Best: true})
			r.Add(event.Saved{Head: at(float64(step)), Step: step, Path: fmt.Sprint("step-", step), Best: true})
			r.Add(event.Preview{Head: at(float64(step)), Step: step})
		}
	}
	best, ok := r.Best()
	require.True(t, ok)
	require.Equal(t, int64(120), best.Step)
	require.Equal(t, 0.12, best.Class[0])
	require.True(t, math.IsNaN(best.Class[1]))
	before := r.Versions()
	for i, s := range r.Saved() {
		require.Equal(t, i == 5, s.Best, "the mark moves")
	}

	r.Add(event.Started{Head: at(1000), Steps: 200, Step: 100, Resumed: true, Classes: classes})
	after := r.Versions()
	require.Greater(t, after.Steps, before.Steps)
	require.Greater(t, after.Evals, before.Evals)
	require.Greater(t, after.Previews, before.Previews)
	require.Greater(t, after.Log, before.Log)
	require.Greater(t, after.Phase, before.Phase)
	require.Equal(t, before.System, after.System)

	for _, s := range []*history.Series{r.Loss(), r.Rate(), r.Speed(), r.GradNorm()} {
		require.Equal(t, int64(100), second(s.Bounds()))
	}
	require.Equal(t, event.Step{Head: at(1000), Step: 100, Epoch: 10, Loss: 100, LR: 0.1, Images: 4}, r.Last())
	best, ok = r.Best()
	require.True(t, ok)
	require.Equal(t, int64(100), best.Step)
	require.Len(t, r.Evals(), 5)
	require.Len(t, r.Saved(), 5)
	require.Len(t, r.Previews(), 5)
	require.Equal(t, history.Split{}, r.Split())

	// A run that begins again in the same file begins from nothing.
	r.Add(event.Started{Head: at(2000), Steps: 200})
	require.Equal(t, event.Step{}, r.Last())
	_, _, ok = r.Loss().Bounds()
	require.False(t, ok)
	_, ok = r.Best()
	require.False(t, ok)
	require.Empty(t, r.Saved())
}

func TestPhasesAndElapsed(t *testing.T) {
	r := history.New()
	for _, rec := range []event.Record{
		event.Started{Head: at(0), Steps: 100, Warmup: 2, LoadSeconds: 3},
		event.Phase{Head: at(1), Name: event.PhaseCompile},
		event.Phase{Head: at(11), Name: event.PhaseTrain},
		event.Step{Head: at(12), Step: 1},
		event.Step{Head: at(13), Step: 2},
		event.Step{Head: at(14), Step: 3},
		event.Phase{Head: at(14), Name: event.PhaseEval, Step: 3},
		event.Phase{Head: at(15), Name: event.PhaseCompile, Step: 3},
		event.Phase{Head: at(20), Name: event.PhaseEval, Step: 3},
		event.System{Head: at(15)}, // a clock that was set back by five seconds
		event.Phase{Head: at(18), Name: event.PhaseSave, Step: 3},
		event.Note{Text: "without a time"},
	} {
		r.Add(rec)
	}
	require.Equal(t, []history.PhaseTime{
		{Name: "load", Seconds: 4}, {Name: "compile", Seconds: 15}, {Name: "warm-up", Seconds: 2}, {Name: "train", Seconds: 1}, {Name: "eval", Seconds: 4}, {Name: "save", Seconds: 7},
	}, r.Phases(at(25).Time))
	require.Equal(t, event.PhaseSave, r.Current())
	require.Equal(t, 33*time.Second, r.Elapsed(at(25).Time))
	require.Equal(t, 26*time.Second, r.Elapsed(at(0).Time), "time does not run backwards")

	// Killed, found an hour later, resumed after two.
	r.Lose(at(3600).Time)
	require.Equal(t, 26*time.Second, r.Elapsed(at(4000).Time))
	require.Empty(t, r.Current())
	r.Add(event.Started{Head: at(7200), Step: 3, Resumed: true, Warmup: 2, LoadSeconds: 1})
	r.Add(event.Phase{Head: at(7202), Name: event.PhaseTrain, Step: 3})
	require.Equal(t, "train", r.Current(), "it warmed up before")
	require.Equal(t, 39*time.Second, r.Elapsed(at(7212).Time))
	r.Add(event.Finished{Head: at(7213), Reason: event.ReasonDone})
	require.Equal(t, 40*time.Second, r.Elapsed(at(9999).Time))
}

// A run of several stages says started again in one process. Nothing that was said is
// taken back, the time goes on, and the new stage warms up by itself.
func TestStages(t *testing.T) {
	r := history.New()
	for _, rec := range []event.Record{
		event.Started{Head: at(0), Run: "a", Steps: 100, Warmup: 2, Model: "fcn32s", Stage: 1, Stages: 2, StageName: "fcn32s", StageTo: 10, PID: 7, Version: "1"},
		event.Phase{Head: at(0), Name: event.PhaseTrain},
		event.Step{Head: at(1), Step: 9},
		event.Step{Head: at(2), Step: 10, Loss: 3},
		event.Eval{Head: at(3), Step: 10, MeanIoU: 0.5, Best: true},
		event.Saved{Head: at(4), Step: 10},
		event.Started{Head: at(6), Step: 10, Steps: 100, Warmup: 2, Model: "fcn16s", Stage: 2, Stages: 2, StageName: "b", StageFrom: 10, StageTo: 100, LoadSeconds: 2},
	} {
		r.Add(rec)
	}
	require.Equal(t, history.Loading, r.State())
	require.Equal(t, int64(10), r.Last().Step)
	require.Len(t, r.Evals(), 1)
	require.Len(t, r.Saved(), 1)
	require.Equal(t, 6*time.Second, r.Elapsed(at(6).Time))
	started, _ := r.Started()
	require.Equal(t, "fcn16s", started.Model)
	r.Add(event.Phase{Head: at(7), Name: event.PhaseTrain, Step: 10})
	require.Equal(t, history.PhaseWarmup, r.Current())
	r.Add(event.Step{Head: at(8), Step: 12})
	require.Equal(t, event.PhaseTrain, r.Current())
	require.Equal(t, []string{"run a  stage 1/2 fcn32s  fcnx 1  process 7", "stage 2/2 b  from step 10 to 100"},
		[]string{r.Log()[0].Text, r.Log()[len(r.Log())-1].Text})

	// Resumed in the first stage, it is that one's again.
	r.Add(event.Started{Head: at(20), Step: 9, Steps: 100, Resumed: true, Stage: 1, Stages: 2, StageName: "fcn32s", StageTo: 10, PID: 8, Version: "1"})
	require.Equal(t, int64(9), r.Last().Step)
	require.Empty(t, r.Evals())
	require.Equal(t, "resumed at step 9  stage 1/2 fcn32s  fcnx 1  process 8", r.Log()[len(r.Log())-1].Text)
}

// Loading that was told of as a phase is not counted again with load_seconds.
func TestLoadingCountsOnce(t *testing.T) {
	r := history.New()
	require.Empty(t, r.Phases(noon))
	r.Add(event.Phase{Head: at(0), Name: event.PhaseLoad})
	r.Add(event.Started{Head: at(5), LoadSeconds: 6})
	require.Equal(t, []history.PhaseTime{{Name: "load", Seconds: 6}}, r.Phases(at(5).Time))
}

func TestSplit(t *testing.T) {
	r := history.New()
	require.Equal(t, history.Split{}, r.Split())
	for step := int64(1); step <= 200; step++ {
		rec := event.Step{Head: at(float64(step)), Step: step, DataMS: 900, StepMS: 900, ReadMS: 9, TellMS: 9, Images: 4}
		if step > 136 { // the newest 64
			rec = event.Step{Head: at(float64(step)), Step: step, DataMS: 2, StepMS: 100, ReadMS: 7, TellMS: 1, Images: 8}
		}
		if step%10 == 0 {
			rec.DataMS = 5000
		}
		r.Add(rec)
	}
	s := r.Split()
	require.InDelta(t, 8000.0/103, s.ImagesPerSecond, 1e-9)
	s.ImagesPerSecond = 0
	require.Equal(t, history.Split{Data: 2, Device: 93, Read: 7, Tell: 1, Total: 103}, s)
	require.InDelta(t, 8000.0/103, r.Speed().Columns(198, 199, 1)[0].Mean, 1e-9)
}

func TestLog(t *testing.T) {
	r := history.New()
	for _, rec := range []event.Record{
		event.Started{Head: at(0), Run: "shapes", Version: "0.1.0", PID: 7},
		event.Phase{Head: at(1), Name: event.PhaseCompile, Detail: "training step 8x192x256"},
		event.Compiled{Head: at(2), What: "training step 8x192x256\x1b", Seconds: 5.5, Memory: &event.CompiledMemory{Arguments: 1200, Temporaries: 34}},
		event.Phase{Head: at(2), Name: event.PhaseTrain},
		event.Step{Head: at(3), Step: 1},
		event.Eval{Head: at(4), Step: 20, Samples: 100, MeanIoU: 0.41236, PixelAccuracy: 0.87, Loss: 0.6, Seconds: 75, Best: true},
		event.Saved{Head: at(5), Step: 20, Path: "step-000000000020", Bytes: 64 << 20, Seconds: 0.21},
		event.Note{Head: at(6), Level: event.LevelWarning, Text: "one\ntwo\x1b[2J\tthree\r\u202e\n"},
		event.Note{Head: at(6), Level: "panic", Text: "no"},
		event.Action{Head: at(7), Name: event.ActionHalveLR, By: "watch, process 1", Text: "learning rate times 0.5 from here on"},
		event.Action{Head: at(7), Name: event.ActionStop},
		event.Finished{Head: at(8), Step: 20, Reason: event.ReasonDiverged, Seconds: 7300, BestIoU: float(0.5), BestStep: 20, Error: "the loss is NaN"},
		event.Started{Head: at(9), Version: "0.1.0", PID: 8, Step: 20, Resumed: true},
	} {
		r.Add(rec)
	}
	r.Lose(at(10).Time)
	var got []string
	for _, line := range r.Log() {
		got = append(got, line.Level+" "+line.Text)
	}
	require.Equal(t, []string{
		"info run shapes  fcnx 0.1.0  process 7",
		"info compiling training step 8x192x256",
		"info compiled training step 8x192x256\ufffd in 5.5s, needs 1.2 kB",
		"info eval at step 20  mIoU 0.4124  accuracy 0.8700  loss 0.6000  100 images in 1m15s  best",
		"info saved step-000000000020  67.1 MB in 0.2s",
		"warning warning: one; two\ufffd[2J three \ufffd",
		"info panic: no",
		"info asked to halve the learning rate: learning rate times 0.5 from here on  (watch, process 1)",
		"info asked to stop",
		"error diverged at step 20 after 2h02m  best mIoU 0.5000 at step 20  the loss is NaN",
		"info resumed at step 20  fcnx 0.1.0  process 8",
		"error the process ended without a word",
	}, got)
	require.Equal(t, at(10).Time, r.Log()[len(got)-1].Time)

	for i := range 3500 {
		r.Add(event.Note{Head: at(11), Text: fmt.Sprintf("%d %s", i, strings.Repeat("é", 5000))})
	}
	require.Len(t, r.Log(), 1000)
	for i, line := range r.Log() {
		require.True(t, strings.HasPrefix(line.Text, fmt.Sprint(2500+i, " é")))
		requirePrintable(t, line)
	}
}

func requirePrintable(t *testing.T, line history.Line) {
	t.Helper()
	require.True(t, utf8.ValidString(line.Text))
	require.LessOrEqual(t, len(line.Text), 4000)
	odd := strings.IndexFunc(line.Text, func(c rune) bool { return !unicode.IsPrint(c) && c != unicode.ReplacementChar })
	require.Negative(t, odd, "%q", line.Text)
}

func TestListsAreThinned(t *testing.T) {
	r := history.New()
	for step := int64(1); step <= 20_000; step++ {
		iou := 0.5
		if step == 4242 {
			iou = 0.9
		}
		r.Add(event.Eval{Head: at(0), Step: step, MeanIoU: event.Float(iou)})
		r.Add(event.Preview{Head: at(0), Step: step})
		r.Add(event.Saved{Head: at(0), Step: step, Path: fmt.Sprint(step), Best: step == 10 || step == 4242})
		require.LessOrEqual(t, len(r.Evals()), 4096)
		require.LessOrEqual(t, len(r.Previews()), 1024)
		require.LessOrEqual(t, len(r.Saved()), 101)
	}
	require.Greater(t, len(r.Evals()), 2048)
	require.Greater(t, len(r.Previews()), 512)
	best, _ := r.Best()
	require.Equal(t, int64(4242), best.Step)
	steps := map[int64]bool{}
	for _, e := range r.Evals() {
		steps[e.Step] = true
	}
	require.True(t, steps[1] && steps[4242] && steps[20_000])
	require.Equal(t, int64(1), r.Previews()[0].Step)
	saved := r.Saved()
	require.Len(t, saved, 101)
	require.True(t, saved[0].Best)
	require.Equal(t, []int64{4242, 19_901, 20_000}, []int64{saved[0].Step, saved[1].Step, saved[100].Step})
}

func TestPreviewsOfAHostileFile(t *testing.T) {
	images := []event.PreviewImage{{ID: strings.Repeat("x", 5000)}}
	for range 200 {
		images = append(images, event.PreviewImage{ID: "ok"})
	}
	r := history.New()
	r.Add(event.Preview{Head: at(0), Step: 1, Images: images})
	require.Len(t, r.Previews()[0].Images, 64)
	require.Equal(t, "ok", r.Previews()[0].Images[0].ID)
	require.Len(t, images[0].ID, 5000, "the record is not ours to change")
}

// A million steps are no larger than ten thousand.
func TestMemoryOfAMillionSteps(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := history.New()
	r.Add(event.Started{Head: at(0), Steps: 1_000_000})
	for step := int64(1); step <= 1_000_000; step++ {
		r.Add(event.Step{Head: at(float64(step)), Step: step, Loss: event.Float(1 / float64(step)), LR: 0.1, StepMS: 20, Images: 8, GradNorm: float(1)})
		if step%100 == 0 {
			r.Add(event.System{Head: at(float64(step))})
			r.Add(event.Eval{Head: at(float64(step)), Step: step, MeanIoU: 0.5})
			r.Add(event.Saved{Head: at(float64(step)), Step: step, Path: fmt.Sprint(step)})
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Equal(t, int64(1_000_000), r.Last().Step)
	used := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%.1f MB", float64(used)/1e6)
	require.Less(t, used, int64(50e6))
	runtime.KeepAlive(r)
}

func BenchmarkAdd(b *testing.B) {
	r := history.New()
	r.Add(event.Started{Head: at(0), Steps: 1_000_000})
	step := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		step++
		r.Add(event.Step{Head: at(float64(step)), Step: step, Loss: 1, LR: 0.1, StepMS: 20, Images: 8})
	}
}
