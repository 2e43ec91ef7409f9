package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/train"
)

func TestParseBatch(t *testing.T) {
	for text, want := range map[string]*batchToFind{
		"8": nil, "": nil, "many": nil, // the key's own business
		"auto":       {},
		"auto:6GB":   {6e9},
		"auto:1.5GB": {1500e6},
		"auto:500MB": {500e6},
	} {
		got, err := parseBatch(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"auto:", "auto:6", "auto6GB", "automatic", "auto:GB", "auto:-1GB", "auto:0MB", "auto:NaNGB", "auto:1e300GB", "auto:6gb"} {
		_, err := parseBatch(text)
		require.ErrorContains(t, err, "auto:6GB", text)
	}
}

// A card is asked of nobody: its user says what may be used.
func TestAvailableMemory(t *testing.T) {
	cuda, cpu := &device.Backend{Kind: device.CUDA}, &device.Backend{Kind: device.CPU}
	_, _, err := (&batchToFind{}).available(cuda)
	require.ErrorContains(t, err, "--batch auto:20GB")
	limit, of, err := (&batchToFind{5}).available(cuda)
	require.NoError(t, err)
	require.Equal(t, int64(5), limit)
	require.Equal(t, "as was said", of)
	limit, of, err = (&batchToFind{}).available(cpu)
	require.NoError(t, err)
	require.Positive(t, limit)
	require.Equal(t, "70% of what is free", of)
}

// What lies on the host beside a step: a copy of weights and slots for the checkpoint that
// is written meanwhile, and one where NaN is looked for.
func TestCopies(t *testing.T) {
	config := train.Default()
	config.Model.Classes, config.Model.Width, config.Model.Head = 2, 1, 1
	weights := 4 * config.Network().Parameters()
	for _, test := range []struct {
		change func(*train.Config)
		want   int64
	}{
		{func(*train.Config) {}, 2 * weights},
		{func(c *train.Config) { c.Train.Momentum = 0 }, weights},
		{func(c *train.Config) { c.Train.Optimizer = "adamw" }, 3 * weights},
		{func(c *train.Config) { c.Train.DebugNaN = true }, 4 * weights},
		{func(c *train.Config) { c.Checkpoint.Background = false }, 0},
	} {
		c := config
		test.change(&c)
		require.Equal(t, test.want, (&stage{config: c}).copies())
	}
	require.Equal(t, datasets.BatchShape{H: 3, W: 4}, largestShape([]datasets.BatchShape{{H: 2, W: 5}, {H: 3, W: 4}, {H: 11, W: 1}}))
}

func TestContainerMemory(t *testing.T) {
	for name, test := range map[string]struct {
		limit, current, stat string
		left                 int64
		ok                   bool
	}{
		"limit":      {"1000\n", "300\n", "anon 100\ninactive_file 50\nactive_file 150\n", 750, true},
		"used up":    {"1000\n", "1300\n", "", 0, true},
		"no limit":   {"max\n", "300\n", "", 0, false},
		"no cgroups": {"", "", "", 0, false},
	} {
		left, ok := containerMemory([]byte(test.limit), []byte(test.current), []byte(test.stat))
		require.Equal(t, test.ok, ok, name)
		require.Equal(t, test.left, left, name)
	}
}
