package main

import (
	"fmt"
	"strings"

	"github.com/fcnx/fcnx/train/event/wording"
)

// benchWidth is what the text of `bench` fits into.
const benchWidth = 100

// text is the report for people.
func (r benchReport) text() string {
	var b strings.Builder
	m := r.Model
	fmt.Fprintf(&b, "%s %s, width %d, head %d, %d classes, %s weights, %s\n",
		m.Arch, m.Encoder, m.Width, m.Head, m.Classes, strings.TrimSpace(figure(r.Weights)), r.Precision)
	machine := fmt.Sprintf("%d cores", r.Machine.Cores)
	if r.Machine.CPU != "" {
		machine += " of " + wording.Printable(r.Machine.CPU)
	}
	fmt.Fprintf(&b, "%s, %s\n", r.Backend, machine)
	if r.Data != "" {
		fmt.Fprintf(&b, "data %s\n", wording.Printable(r.Data))
	}
	fmt.Fprintf(&b, "medians of %d rounds in turns; a multiply-add is two operations; the peak is the fastest product's\n\n", r.Rounds)

	rows := [][]string{{"", "seconds", "rate", "mul-adds", "GFLOP/s", "of peak", "first, s", "memory"}}
	for _, row := range r.Rows {
		rows = append(rows, []string{
			row.Name, seconds(row.Median), row.rate(), figure(row.MultiplyAdds), positive(row.FLOPS/1e9, "%.0f"),
			positive(100*row.ShareOfPeak, "%.0f%%"), seconds(row.First), wording.Bytes(row.memory()),
		})
	}
	writeColumns(&b, rows, 1)

	b.WriteString("\nwhat limits it\n")
	said := false
	for _, row := range r.Rows {
		if row.Limit != "" {
			said = true
			writeLimit(&b, row.Name, row.Limit)
		}
	}
	if !said {
		b.WriteString("  nothing was measured that would tell; time more parts\n")
	}
	return b.String()
}

// memory is what the row needs: on the device where that is another memory than the
// process's, else the most that the process had.
func (row benchRow) memory() int64 {
	if row.Device != nil && row.Device.Needed() > row.PeakBytes {
		return row.Device.Needed()
	}
	return row.PeakBytes
}

func (row benchRow) rate() string {
	switch {
	case row.Part == partProduct:
		return "-"
	case row.Unit == "bytes":
		return fmt.Sprintf("%.0f MB/s", row.Rate/1e6)
	}
	return wording.Number(row.Rate) + " " + row.Unit + "/s"
}

// seconds has three digits that matter.
func seconds(s float64) string {
	switch {
	case s >= 100:
		return fmt.Sprintf("%.0f", s)
	case s >= 10:
		return fmt.Sprintf("%.1f", s)
	case s >= 1:
		return fmt.Sprintf("%.2f", s)
	case s >= 0.01:
		return fmt.Sprintf("%.3f", s)
	}
	return fmt.Sprintf("%.5f", s)
}

// positive is "-" for nothing.
func positive(v float64, format string) string {
	if v <= 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// writeLimit writes name and text, with as many lines as they need.
func writeLimit(b *strings.Builder, name, text string) {
	const indent = 28
	line := fmt.Sprintf("  %-*s", indent-2, name)
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > benchWidth {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", indent)
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
