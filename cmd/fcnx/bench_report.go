package main

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fcnx/fcnx/train"
)

// benchReport is what `bench --json` prints (docs/benchmarks.md).
type benchReport struct {
	Time      time.Time         `json:"time"`
	Machine   benchMachine      `json:"machine"`
	Backend   string            `json:"backend"`
	Versions  map[string]string `json:"versions"`
	Model     modelReport       `json:"model"`
	Weights   int64             `json:"weights"`
	Precision string            `json:"precision"`
	Data      string            `json:"data"`
	Rounds    int               `json:"rounds"`
	Steps     int               `json:"steps"`
	Rows      []benchRow        `json:"rows"`
}

// benchMachine is what the numbers hold for.
type benchMachine struct {
	CPU   string `json:"cpu"` // "" where the system does not tell
	Cores int    `json:"cores"`
}

// benchRow is one thing that was timed. Numbers that it does not have are left out.
type benchRow struct {
	Part    string    `json:"part"`
	Name    string    `json:"name"`
	Batch   int       `json:"batch,omitempty"`
	Height  int       `json:"height,omitempty"`
	Width   int       `json:"width,omitempty"`
	Seconds []float64 `json:"seconds"`
	Median  float64   `json:"median_seconds"`
	// First is the first run, compilation included.
	First float64 `json:"first_seconds"`
	// Rate is how many of Unit a second.
	Rate         float64 `json:"rate"`
	Unit         string  `json:"unit"`
	MultiplyAdds int64   `json:"multiply_adds,omitempty"`
	// FLOPS counts two operations a multiply-add, a second.
	FLOPS       float64       `json:"flops,omitempty"`
	ShareOfPeak float64       `json:"share_of_peak,omitempty"` // of the product's FLOPS
	PeakBytes   int64         `json:"peak_rss_bytes"`
	Device      *train.Memory `json:"device_memory,omitempty"`
	StillMedian float64       `json:"still_seconds,omitempty"`
	Limit       string        `json:"limit,omitempty"` // what limits it, as far as it was measured
}

func (b *bench) report() benchReport {
	cfg := b.plan.config
	m := cfg.Network()
	r := benchReport{
		Time: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(), Backend: backendName(b.backend), Versions: versions(),
		Model:   modelReport{m.Arch, m.Encoder, m.Classes, m.Width, m.Head, m.Upsample, m.Geometry, m.Dropout, m.AtOnce},
		Weights: int64(m.Parameters()), Precision: cfg.Train.Precision, Rounds: b.plan.rounds, Steps: b.plan.per,
	}
	if b.plan.wants(partData, partEval) {
		r.Data = cfg.Data.Spec
	}
	for _, c := range b.cases {
		r.Rows = append(r.Rows, c.row())
	}
	r.compare()
	return r
}

// row is what was found, before it is compared with anything.
func (c *benchCase) row() benchRow {
	r := benchRow{
		Part: c.label(), Name: c.name, Batch: c.batch, Height: c.h, Width: c.w, Seconds: c.seconds, Median: median(c.seconds),
		First: c.first.Seconds(), Unit: c.unit, MultiplyAdds: c.multiplyAdds, PeakBytes: c.peak, Device: c.device,
	}
	r.Rate = c.amount / r.Median
	r.FLOPS = 2 * float64(c.multiplyAdds) / r.Median
	if c.part == partProduct { // a peak is the most that there was
		r.FLOPS = 2 * float64(c.multiplyAdds) / slices.Min(r.Seconds)
	}
	if len(c.still) > 0 {
		r.StillMedian = median(c.still)
	}
	return r
}

// median is the mean of the two in the middle where their number is even.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// thisMachine asks the system.
func thisMachine() benchMachine {
	m := benchMachine{Cores: runtime.GOMAXPROCS(0)}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}
