package history_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui/history"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// process is a made-up run that knows how long everything takes: its records come
// in the order in which train.Loop says them.
type process struct {
	started                  event.Started
	step, data, eval, save   float64 // seconds
	stepCompile, evalCompile float64
	noise                    float64 // the share by which each of them varies
	rng                      *rand.Rand
	now                      float64
	records                  []event.Record
}

func (p *process) at() event.Head {
	return event.Head{Time: noon.Add(time.Duration(p.now * float64(time.Second)))}
}

func (p *process) take(seconds float64) float64 {
	if p.noise > 0 {
		seconds *= 1 + p.noise*(2*p.rng.Float64()-1)
	}
	p.now += seconds
	return seconds
}

func (p *process) say(r event.Record) { p.records = append(p.records, r) }

func (p *process) phase(name string, step int64) {
	p.say(event.Phase{Head: p.at(), Name: name, Step: step})
}

// run is the loop.
func (p *process) run() []event.Record {
	s := p.started
	p.started.Head = p.at()
	p.say(p.started)
	p.take(0.5)
	p.phase(event.PhaseCompile, s.Step)
	p.take(p.stepCompile)
	evalCompile := p.evalCompile
	by := func(step int64) int64 { return int64(float64(step)/s.EvalEvery + 1e-9) }
	for step := s.Step + 1; step <= s.Steps; step++ {
		if p.records[len(p.records)-1].EventKind() != event.KindStep {
			p.phase(event.PhaseTrain, step-1)
		}
		data, took := p.take(p.data), p.take(p.step)
		p.say(event.Step{Head: p.at(), Step: step, Epoch: float64(step) / 100, Loss: event.Float(1 / float64(step)), LR: 0.05,
			DataMS: 1000 * data, StepMS: 1000 * took, Images: s.Batch})
		evaluates := s.Val > 0 && (step == s.Steps || s.EvalEvery > 0 && by(step) > by(step-1))
		if evaluates {
			begin := p.now
			p.phase(event.PhaseEval, step)
			if evalCompile > 0 {
				p.phase(event.PhaseCompile, step)
				p.take(evalCompile)
				p.phase(event.PhaseEval, step)
				evalCompile = 0
			}
			p.take(p.eval)
			p.say(event.Eval{Head: p.at(), Step: step, Samples: s.Val, MeanIoU: 0.5, Seconds: p.now - begin})
		}
		if evaluates || step == s.Steps || s.SaveEvery > 0 && step%s.SaveEvery == 0 {
			p.phase(event.PhaseSave, step)
			took := p.take(p.save)
			p.say(event.Saved{Head: p.at(), Step: step, Path: "step", Seconds: took, HeldSeconds: took})
		}
	}
	p.say(event.Finished{Head: p.at(), Step: s.Steps, Reason: event.ReasonDone, Seconds: p.now})
	return p.records
}

// whileRunning adds the records and looks at the history after each, and a few
// times until the next.
func whileRunning(records []event.Record, look func(i int, now time.Time, r *history.Run)) *history.Run {
	r := history.New()
	for i, rec := range records {
		r.Add(rec)
		look(i, rec.At(), r)
		if i+1 < len(records) {
			gap := records[i+1].At().Sub(rec.At())
			for k := range time.Duration(3) {
				look(i, rec.At().Add(gap*(k+1)/4), r)
			}
		}
	}
	return r
}

var rhythms = map[string]event.Started{
	"evaluations and saves":    {Steps: 230, EvalEvery: 50, SaveEvery: 30, Val: 100, Batch: 8},
	"both at once":             {Steps: 200, EvalEvery: 50, SaveEvery: 25, Val: 100, Batch: 8},
	"last step has its own":    {Steps: 201, EvalEvery: 20, SaveEvery: 67, Val: 100, Batch: 8},
	"a rhythm of epochs":       {Steps: 210, EvalEvery: 30.000000001, Val: 100, Batch: 8},
	"an evaluation at the end": {Steps: 100, SaveEvery: 7, Val: 100, Batch: 8},
	"no validation":            {Steps: 100, SaveEvery: 10, Batch: 8},
	"a save at the end":        {Steps: 99, Batch: 8},
	"every step":               {Steps: 40, EvalEvery: 1, SaveEvery: 1, Val: 16, Batch: 8},
	"resumed":                  {Steps: 230, Step: 120, Resumed: true, EvalEvery: 50, SaveEvery: 30, Val: 100, Batch: 8},
}

// Where everything takes as long as before, the guess is exact as soon as each has
// happened once: nothing is forgotten, nothing counted twice, nothing jumps.
func TestLeftIsExactWhereNothingVaries(t *testing.T) {
	for name, started := range rhythms {
		t.Run(name, func(t *testing.T) {
			started.Params = 50e6
			p := process{started: started, step: 0.4, data: 0.1, eval: 3, save: 1.5, stepCompile: 20, evalCompile: 12}
			records := p.run()
			end := records[len(records)-1].At()
			evals, saves, exact := 0, 0, 0
			whileRunning(records, func(i int, now time.Time, r *history.Run) {
				if now.Equal(records[i].At()) {
					switch records[i].(type) {
					case event.Eval:
						evals++
					case event.Saved:
						saves++
					}
				}
				left, ok := r.Left(now)
				if !ok {
					require.Less(t, r.Last().Step, started.Step+3)
					return
				}
				truth := end.Sub(now).Seconds()
				if saves == 0 || evals == 0 && started.Val > 0 {
					require.LessOrEqual(t, left.Min.Seconds(), truth+0.01)
					require.GreaterOrEqual(t, left.Max.Seconds(), truth-0.01)
					return
				}
				exact++
				require.InDelta(t, truth, left.Min.Seconds(), 0.01, "after %T at step %d", records[i], r.Last().Step)
				require.InDelta(t, truth, left.Max.Seconds(), 0.01, "after %T at step %d", records[i], r.Last().Step)
			})
			require.Positive(t, exact)
		})
	}
}

// Where everything varies, the truth is in the range, but for what the step or the
// pass at hand may add.
func TestLeftHoldsTheTruth(t *testing.T) {
	for name, started := range rhythms {
		t.Run(name, func(t *testing.T) {
			started.Params = 50e6
			p := process{started: started, step: 0.4, data: 0.1, eval: 2.5, save: 0.8, stepCompile: 20, evalCompile: 15, noise: 0.3, rng: rand.New(rand.NewPCG(7, 7))}
			records := p.run()
			end := records[len(records)-1].At()
			inside, all := 0, 0
			whileRunning(records, func(_ int, now time.Time, r *history.Run) {
				left, ok := r.Left(now)
				if !ok || len(r.Evals()) == 0 && r.Last().Step < started.Step+20 {
					return
				}
				require.LessOrEqual(t, left.Min, left.Max)
				truth := end.Sub(now).Seconds()
				slack := 1 + 0.06*truth
				all++
				if left.Min.Seconds()-slack <= truth && truth <= left.Max.Seconds()+slack {
					inside++
				}
			})
			require.Greater(t, float64(inside), 0.97*float64(all), "%d of %d", inside, all)
		})
	}
}

func TestLeftEndsAtZero(t *testing.T) {
	p := process{started: rhythms["both at once"], step: 0.4, data: 0.1, eval: 3, save: 1.5}
	r := whileRunning(p.run(), func(int, time.Time, *history.Run) {})
	left, ok := r.Left(noon.Add(24 * time.Hour))
	require.True(t, ok)
	require.Zero(t, left)
}

// A few steps that are very slow count: the range is not about the middle alone.
func TestLeftKnowsOfRareWaits(t *testing.T) {
	r := history.New()
	r.Add(event.Started{Head: event.Head{Time: noon}, Steps: 10_000, Batch: 8})
	now := noon
	for step := int64(1); step <= 1000; step++ {
		wait := 0.0
		if step%20 == 0 {
			wait = 2000
		}
		now = now.Add(time.Duration(100+wait) * time.Millisecond)
		r.Add(event.Step{Head: event.Head{Time: now}, Step: step, StepMS: 100, DataMS: wait, Images: 8})
	}
	left, ok := r.Left(now)
	require.True(t, ok)
	require.InDelta(t, 900, left.Min.Seconds(), 10)
	require.InDelta(t, 1800, left.Max.Seconds(), 100)
}

func TestLeftWhereThereIsNothingToTellFrom(t *testing.T) {
	r := history.New()
	ok := func() bool { _, ok := r.Left(noon); return ok }
	require.False(t, ok())
	r.Add(event.Step{Head: event.Head{Time: noon}, Step: 1, StepMS: 100})
	require.False(t, ok())
	started := event.Started{Head: event.Head{Time: noon}, Steps: 100, EvalEvery: math.NaN(), Params: -5, Val: 8, SaveEvery: -3}
	r.Add(started)
	require.False(t, ok())
	for step := range int64(3) {
		r.Add(event.Step{Head: event.Head{Time: noon}, Step: step + 1, StepMS: 100})
	}
	require.True(t, ok())
	r.Lose(noon)
	require.False(t, ok())
	started.Steps = 0
	r.Add(started)
	for step := range int64(9) {
		r.Add(event.Step{Head: event.Head{Time: noon}, Step: step + 1, StepMS: 100})
	}
	require.False(t, ok())
}

// Hours without end are a very long time, not a negative one.
func TestLeftOfARunWithoutEnd(t *testing.T) {
	r := history.New()
	r.Add(event.Started{Head: event.Head{Time: noon}, Steps: math.MaxInt64, EvalEvery: 1e-300, SaveEvery: 1, Val: math.MaxInt, Batch: -1, Params: math.MaxInt64})
	for step := range int64(5) {
		r.Add(event.Step{Head: event.Head{Time: noon}, Step: step + 1, StepMS: 1e30})
	}
	left, ok := r.Left(noon)
	require.True(t, ok)
	require.Equal(t, history.Span{Min: math.MaxInt64, Max: math.MaxInt64}, left)
}
