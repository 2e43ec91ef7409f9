package tui

import (
	"math"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui/history"
)

// Summary is a run in numbers, for scripts: `fcnx status --json`. Fields that are not
// known yet are null.
type Summary struct {
	Run   string `json:"run"`
	Dir   string `json:"dir"`
	State string `json:"state"`
	Step  int64  `json:"step"`
	Steps int64  `json:"steps"`
	// Where in a run of several stages it is; absent in a run of one.
	Stage     int     `json:"stage,omitempty"`
	Stages    int     `json:"stages,omitempty"`
	StageName string  `json:"stage_name,omitempty"`
	Epoch     float64 `json:"epoch"`
	Epochs    float64 `json:"epochs"`
	Elapsed   float64 `json:"elapsed_seconds"`
	// Left is the shortest and the longest guess in seconds.
	Left            []float64           `json:"left_seconds"`
	Loss            *float64            `json:"loss"`
	LR              *float64            `json:"lr"`
	StepMS          float64             `json:"step_ms"`
	DataMS          float64             `json:"data_ms"`
	DataWait        *float64            `json:"data_wait"` // share of the steps' time over the run
	ImagesPerSecond float64             `json:"images_per_second"`
	MeanIoU         *float64            `json:"mean_iou"`
	PixelAccuracy   *float64            `json:"pixel_accuracy"`
	ClassIoU        map[string]*float64 `json:"class_iou"`
	Classes         []string            `json:"-"` // in label order
	BestMeanIoU     *float64            `json:"best_mean_iou"`
	BestStep        *int64              `json:"best_step"`
	SavedStep       *int64              `json:"saved_step"`
	Skipped         int64               `json:"skipped_samples,omitempty"`
	// Compiled is the ledger of the newest process's compilations.
	Compiled []Compiled `json:"compiled"`
	Error    string     `json:"error,omitempty"`
	ExitCode *int       `json:"exit_code"`
}

// Compiled is a graph that was compiled. The bytes are null where the backend does not
// tell them.
type Compiled struct {
	What       string  `json:"what"`
	Seconds    float64 `json:"seconds"`
	Background bool    `json:"background"` // training went on meanwhile
	Needed     *int64  `json:"needed_bytes"`
	Arguments  *int64  `json:"argument_bytes"`
	Outputs    *int64  `json:"output_bytes"`
	Aliased    *int64  `json:"aliased_bytes"`
	// Temporaries are what the graph keeps while it runs.
	Temporaries *int64 `json:"temporary_bytes"`
}

// compiled is the ledger as a summary has it.
func compiled(records []event.Compiled) []Compiled {
	all := make([]Compiled, len(records))
	for i, r := range records {
		all[i] = Compiled{What: r.What, Seconds: r.Seconds, Background: r.Background}
		if m := r.Memory; m != nil {
			needed := m.Needed()
			all[i].Needed, all[i].Arguments, all[i].Outputs, all[i].Aliased, all[i].Temporaries = &needed, &m.Arguments, &m.Outputs, &m.Aliased, &m.Temporaries
		}
	}
	return all
}

// Summarize sums up one run.
func (m *Model) Summarize() Summary {
	w := m.run()
	h := w.history
	started, _ := h.Started()
	last, split := h.Last(), h.Split()
	s := Summary{
		Run: w.source.Name(), Dir: w.source.Dir(), State: string(h.State()),
		Stage: started.Stage, Stages: started.Stages, StageName: started.StageName,
		Step: last.Step, Steps: started.Steps, Epoch: last.Epoch, Epochs: started.Epochs,
		Elapsed: h.Elapsed(w.now).Seconds(), StepMS: split.Total - split.Data, DataMS: split.Data, ImagesPerSecond: split.ImagesPerSecond,
		ClassIoU: map[string]*float64{}, Classes: started.Classes, Skipped: h.Skipped(), Compiled: compiled(h.Compiled()),
	}
	if share, ok := h.DataWait(); ok {
		s.DataWait = &share
	}
	if w.stillborn() {
		s.State = string(history.Lost)
	}
	if last.Step == 0 {
		s.Step = started.Step
	} else {
		s.Loss, s.LR = known(float64(last.Loss)), known(last.LR)
	}
	if left, ok := h.Left(w.now); ok && !h.State().Over() {
		s.Left = []float64{left.Min.Seconds(), left.Max.Seconds()}
	}
	if evals := h.Evals(); len(evals) > 0 {
		e := evals[len(evals)-1]
		s.MeanIoU, s.PixelAccuracy = known(e.MeanIoU), known(e.PixelAccuracy)
		for i, name := range started.Classes {
			s.ClassIoU[name] = nil
			if i < len(e.Class) {
				s.ClassIoU[name] = known(e.Class[i])
			}
		}
	}
	if best, ok := h.Best(); ok {
		s.BestMeanIoU, s.BestStep = known(best.MeanIoU), &best.Step
	}
	if saved := h.Saved(); len(saved) > 0 {
		s.SavedStep = &saved[len(saved)-1].Step
	}
	if f, ok := h.Finished(); ok && h.State() != history.Lost {
		s.Error, s.ExitCode = f.Error, &f.ExitCode
	}
	return s
}

// known is nil for what JSON has no number for.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
