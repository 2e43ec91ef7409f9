package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train/event/wording"
)

// printRows is the table of what became of every tensor of a file, and which variables
// have nothing there to start from.
func printRows(w io.Writer, rows []weights.Row, fresh []models.Variable) {
	dims := func(shape []int) string { return strings.ReplaceAll(fmt.Sprint(shape), " ", ",") }
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(columns ...string) {
		for i, c := range columns {
			columns[i] = wording.Printable(c)
		}
		fmt.Fprintln(table, "  "+strings.TrimRight(strings.Join(columns, "\t"), "\t"))
	}
	line("in the file", "shape", "becomes", "shape", "")
	for _, row := range rows {
		if row.Variable == "" {
			line(row.Tensor, dims(row.Shape), "-", "", row.Note)
			continue
		}
		line(row.Tensor, dims(row.Shape), row.Variable, dims(row.As), row.Note)
	}
	for _, v := range fresh {
		line("-", "", v.Path(), dims(v.Shape), "starts fresh")
	}
	_ = table.Flush() // what is printed to a closed terminal is lost anyway
}
