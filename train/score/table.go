package score

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Table writes a row a class and the four measures below, in percent and in
// aligned columns, for a terminal. A class that never occurs has a dash. Names
// are in label order.
func (c *Confusion) Table(w io.Writer, names []string) error {
	if len(names) != c.classes {
		return fmt.Errorf("%d names for %d classes", len(names), c.classes)
	}
	m := c.Measures()
	labelled, _ := c.marginals()
	total := float64(c.Pixels())

	// The measures' own names share the first column.
	width := len("mean accuracy ")
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = printable(name)
		width = max(width, utf8.RuneCountInString(shown[i]))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s  %6s  %10s  %8s\n", width, "class", "IoU %", "accuracy %", "pixels %")
	for i, name := range shown {
		fmt.Fprintf(&b, "%-*s  %6s  %10s  %8s\n", width, name,
			percent(m.ClassIoU[i]), percent(m.ClassAccuracy[i]), percent(labelled[i]/total))
	}
	b.WriteByte('\n')
	for _, row := range []struct {
		name  string
		value float64
	}{
		{"mean IoU", m.MeanIoU},
		{"mean accuracy", m.MeanAccuracy},
		{"pixel accuracy", m.PixelAccuracy},
		{"fw IoU", m.FwIoU},
	} {
		fmt.Fprintf(&b, "%-*s  %6s\n", width, row.name, percent(row.value))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func percent(fraction float64) string {
	if math.IsNaN(fraction) {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*fraction)
}

// printable keeps a class name from moving the cursor: names come from files
// that came from somewhere else.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, name)
}
