package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui"
)

// printCompilations is a run's ledger of compilations as a table: each graph, what it took,
// and what it needs on the device.
func printCompilations(w io.Writer, ledger []tui.Compiled) {
	if len(ledger) == 0 {
		fmt.Fprintln(w, "nothing was compiled yet")
		return
	}
	width := len("graph")
	for _, c := range ledger {
		width = max(width, utf8.RuneCountInString(c.What))
	}
	row := func(what, took, needs, arguments, temporaries, note string) {
		line := fmt.Sprintf("%-*s  %7s  %8s  %9s  %11s%s", width, what, took, needs, arguments, temporaries, note)
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	row("graph", "took", "needs", "arguments", "temporaries", "")
	bytes := func(n *int64) string {
		if n == nil {
			return "-"
		}
		return wording.Bytes(*n)
	}
	total := 0.0
	for _, c := range ledger {
		note := ""
		if c.Background {
			note = "  beside training"
		}
		row(c.What, wording.Seconds(c.Seconds), bytes(c.Needed), bytes(c.Arguments), bytes(c.Temporaries), note)
		total += c.Seconds
	}
	if len(ledger) > 1 {
		row("together", wording.Seconds(total), "", "", "", "")
	}
}
