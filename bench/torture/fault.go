package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// fault is one way to disturb a run, and a row of the table.
type fault struct {
	name     string
	injected string // how it is injected
	attack   func(b *bench) outcome
}

// outcome is what came of a number of tries.
type outcome struct {
	tries int
	// lost counts the tries in which something was lost; it must be 0.
	lost int
	// recovered are the times from the command that goes on until it had done a step.
	recovered []time.Duration
	seen      string // what else is worth telling, in a few words
}

// row is a fault and what came of it.
type row struct {
	fault
	outcome
	took time.Duration
}

func (r row) line() string {
	return fmt.Sprintf("%-46s %5d tries, %d lost; recovers in %s%s (%.0f s)", r.name, r.tries, r.lost, r.recovery(), prefixed("; ", r.seen), r.took.Seconds())
}

// recovery is the median and the longest time to recover.
func (r row) recovery() string {
	if len(r.recovered) == 0 {
		return "-"
	}
	return fmt.Sprintf("%s, %s", seconds(median(r.recovered)), seconds(slices.Max(r.recovered)))
}

// median of at least one value; of two in the middle the higher one.
func median[T cmp.Ordered](values []T) T { return slices.Sorted(slices.Values(values))[len(values)/2] }

func seconds(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
