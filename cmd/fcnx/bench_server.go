package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/fcnx/fcnx/train"
)

// benchReady is the first line of --server: everything that was asked for has run once.
// The maps go by mode, which is what a line of stdin begins with.
type benchReady struct {
	Ready    bool              `json:"ready"`
	Backend  string            `json:"backend"`
	Versions map[string]string `json:"versions"`
	// CompileSeconds are those of the first runs, which compile.
	CompileSeconds map[string]float64 `json:"compile_seconds"`
	// PeakRSSBytes are the most that the process had during them.
	PeakRSSBytes map[string]int64        `json:"peak_rss_bytes"`
	DeviceMemory map[string]train.Memory `json:"device_memory,omitempty"`
	MultiplyAdds map[string]int64        `json:"multiply_adds"` // of one run
	// Amounts are what one run handles: images, bytes of a checkpoint, frames.
	Amounts map[string]float64 `json:"amounts"`
}

// benchAnswer is what a line "MODE N" is answered with.
type benchAnswer struct {
	Mode    string    `json:"mode"`
	Seconds []float64 `json:"seconds"`
	// StillSeconds are those of a save for which training stands still.
	StillSeconds []float64 `json:"still_seconds,omitempty"`
	// PeakRSSBytes is the most that the process had meanwhile.
	PeakRSSBytes int64 `json:"peak_rss_bytes"`
}

// mode is what --server calls a case.
func (c *benchCase) mode() string {
	if c.part == partInference {
		return "infer"
	}
	return c.label()
}

// serve answers lines "MODE N" until in ends. The matrix product is there too.
func (b *bench) serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ready := benchReady{
		Ready: true, Backend: backendName(b.backend), Versions: versions(), CompileSeconds: map[string]float64{},
		PeakRSSBytes: map[string]int64{}, DeviceMemory: map[string]train.Memory{}, MultiplyAdds: map[string]int64{},
		Amounts: map[string]float64{},
	}
	modes := []string{partProduct}
	for _, c := range b.cases {
		if err := b.begin(ctx, c); err != nil {
			return err
		}
		mode := c.mode()
		modes = append(modes, mode)
		ready.CompileSeconds[mode], ready.PeakRSSBytes[mode] = c.first.Seconds(), c.peak
		ready.Amounts[mode] = c.amount
		if c.device != nil {
			ready.DeviceMemory[mode] = *c.device
		}
		if c.multiplyAdds != 0 {
			ready.MultiplyAdds[mode] = c.multiplyAdds
		}
	}
	answers := json.NewEncoder(out)
	if err := answers.Encode(ready); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		mode, count, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || !slices.Contains(modes, mode) {
			return usageError(fmt.Errorf("%q on stdin: write a mode and how often, as in \"%s 3\"; the modes are %s",
				lines.Text(), modes[len(modes)-1], strings.Join(modes, ", ")))
		}
		answer, err := b.answer(ctx, mode, n)
		if err != nil {
			return err
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

// answer runs a mode n times.
func (b *bench) answer(ctx context.Context, mode string, n int) (any, error) {
	if mode == partProduct && b.product == nil {
		if err := b.openProduct(); err != nil {
			return nil, err
		}
	}
	c := b.cases[slices.IndexFunc(b.cases, func(c *benchCase) bool { return c.mode() == mode })]
	answer := benchAnswer{Mode: mode}
	before := len(c.still)
	forgetPeak()
	for range n {
		took, err := c.once(ctx)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, badSample(err)
		}
		answer.Seconds = append(answer.Seconds, took.Seconds())
	}
	answer.PeakRSSBytes, answer.StillSeconds = peakMemory(), c.still[before:]
	c.pause()
	if mode != partProduct {
		return answer, nil
	}
	// How large it is was found out just now.
	return struct {
		benchAnswer
		MultiplyAdds int64 `json:"multiply_adds"`
	}{answer, c.multiplyAdds}, nil
}
