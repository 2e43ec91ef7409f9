package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{3, 1}, 2},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 100, 2}, 3},
	} {
		require.Equal(t, c.want, median(c.values), c.values)
	}
}

// What limits a row is told from other rows, and not told where there are none.
func TestBenchLimits(t *testing.T) {
	product := benchRow{Part: partProduct, FLOPS: 400e9}
	forward := benchRow{Part: partInference, Batch: 1, Height: 320, Width: 320, Median: 0.25, Rate: 4, MultiplyAdds: 40e9, FLOPS: 320e9}
	step := benchRow{Part: partTrain, Name: "training step 1x320x320", Batch: 1, Height: 320, Width: 320, Median: 1, Rate: 1, MultiplyAdds: 120e9, FLOPS: 240e9}
	part := func(part string, median, rate float64) benchRow {
		return benchRow{Part: part, Batch: 1, Height: 320, Width: 320, Median: median, Rate: rate}
	}
	saved := part(partCheckpoint+"_save", 3, 0)
	saved.StillMedian = 0.25
	narrow := forward
	narrow.FLOPS = 40e9

	for _, c := range []struct {
		name string
		rows []benchRow // what is told of the last is wanted
		want string
	}{
		{"nothing to compare with", []benchRow{forward}, ""},
		{"arithmetic", []benchRow{product, forward}, "80% of the peak: arithmetic limits it"},
		{"not arithmetic", []benchRow{product, narrow}, "10% of the peak: not arithmetic"},
		{"a step by itself", []benchRow{product, step}, "60% of the peak: arithmetic limits it"},
		// 2 x 80e9 operations in 0.75 s are 213 GFLOP/s, of 400.
		{"gradients", []benchRow{product, forward, step}, "gradients: forward at 80% of the peak, gradients and update at 53%"},
		{"weights", []benchRow{product, forward, part(partUpdate, 0.5, 2), step}, "weights: 0.500 s of it (50%) are there on a tiny image too"},
		{"few weights", []benchRow{product, forward, part(partUpdate, 0.125, 8), step}, "gradients: "},
		{"data", []benchRow{product, part(partData, 2, 0.5), step}, "data: it takes 1.0 images/s and the loader gives 0.5"},
		{"a cache helps", []benchRow{product, part(partData, 2, 0.5), part(partData+"_cached", 0.1, 10), step}, "60% of the peak"},
		{"update", []benchRow{step, part(partUpdate, 0.25, 4)}, "little but weights, gradients and update: 25% of the training step 1x320x320"},
		{"loader", []benchRow{step, part(partData, 0.1, 10)}, "it gives 10.0 times what the training step takes"},
		{"a slow loader", []benchRow{step, part(partData, 2, 0.5)}, "it gives 50% of what the training step takes"},
		{"a loader of another shape", []benchRow{part(partTrain, 1, 1), {Part: partData, Batch: 2, Height: 320, Width: 320, Median: 1, Rate: 2}}, ""},
		{"evaluation", []benchRow{forward, part(partEval, 8, 3)}, "the network is 75% of it"},
		{"a save", []benchRow{part(partCheckpoint+"_disk", 2, 0), saved}, "1.5 times a plain file of that size; training stands still for 0.250 s"},
		{"a save by itself", []benchRow{saved}, ""},
		{"a load", []benchRow{part(partCheckpoint+"_disk", 2, 0), part(partCheckpoint+"_load", 1, 0)}, "read, and its hash checked"},
		{"a frame", []benchRow{part(partDashboard, 0.005, 200)}, "2% of the time of one core"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := benchReport{Rows: c.rows}
			r.compare()
			got := r.Rows[len(r.Rows)-1].Limit
			if c.want == "" {
				require.Empty(t, got)
			}
			require.True(t, strings.HasPrefix(got, c.want), got)
		})
	}
}

func TestBenchText(t *testing.T) {
	r := benchReport{
		Machine: benchMachine{CPU: "A\x1b[31m chip", Cores: 2}, Backend: "cpu", Precision: "float32", Rounds: 5, Weights: 134e6,
		Model: modelReport{Arch: "fcn8s", Encoder: "vgg16", Classes: 21, Width: 64, Head: 4096},
		Rows: []benchRow{
			{Part: partProduct, Name: "product of 2048x2048", Median: 0.04, MultiplyAdds: 8e9, FLOPS: 400e9, First: 0.1, PeakBytes: 1e8},
			{Part: partTrain, Name: "training step 1x320x320", Median: 1.234, Rate: 1 / 1.234, Unit: "images", MultiplyAdds: 120e9, FLOPS: 194e9, First: 12.34, PeakBytes: 2e9},
			{Part: partCheckpoint + "_save", Name: "checkpoint saved", Median: 2, Rate: 5e8, Unit: "bytes", First: 123.4, PeakBytes: 2e9},
		},
	}
	r.compare()
	text := r.text()
	for _, want := range []string{
		"fcn8s vgg16, width 64, head 4096, 21 classes, 134.0 M weights, float32\n",
		"training step 1x320x320     1.23  0.8104 images/s   120.0 G      194      48%      12.3  2.0 GB\n",
		"checkpoint saved            2.00         500 MB/s         -        -        -       123  2.0 GB\n",
		"  training step 1x320x320    48% of the peak: ",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "\x1b")
	for line := range strings.Lines(text) {
		require.LessOrEqual(t, len(line), benchWidth+1, line)
	}

	require.Contains(t, benchReport{}.text(), "nothing was measured that would tell")
}
