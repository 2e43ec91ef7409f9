package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/train/event/wording"
)

// tensorsReport is what `inspect --json` prints of a file that is no network of fcnx's
// (docs/inspect.md): what it holds, and why that is none.
type tensorsReport struct {
	Source  string         `json:"source"`
	Format  string         `json:"format"`
	Model   *modelReport   `json:"model"` // null
	Reason  string         `json:"reason"`
	Numbers int64          `json:"numbers"`
	Bytes   int64          `json:"bytes"`
	Tensors []tensorReport `json:"tensors"`
}

type tensorReport struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Count int64  `json:"count"`
}

// inspectTensors lists the tensors of a file in which no network was recognised, for
// the given reason. ok is false where it cannot be read at all, or says itself what it
// is: what is wrong with it is then the reason.
func inspectTensors(ctx context.Context, path string, reason error) (r tensorsReport, ok bool) {
	if exitCode(reason) != exitBadData || ctx.Err() != nil {
		return r, false
	}
	tensors, err := openTensors(ctx, path)
	if err != nil {
		return r, false
	}
	defer tensors.Close()
	if weights.Metadata(tensors)[metaConfig] != "" {
		return r, false
	}
	// The names, which the message goes on with, are in the table.
	why, _, _ := strings.Cut(reason.Error(), "\n")
	r = tensorsReport{Source: path, Format: weights.Format(tensors), Reason: why, Tensors: []tensorReport{}}
	for _, info := range tensors.Infos() {
		count := int64(1)
		for _, d := range info.Shape {
			count *= int64(d)
		}
		bytes, err := info.Size()
		if err != nil {
			return r, false
		}
		r.Numbers += count
		r.Bytes += bytes
		r.Tensors = append(r.Tensors, tensorReport{info.Name, info.DType, append([]int{}, info.Shape...), count})
	}
	return r, true
}

// print writes the table for people.
func (r tensorsReport) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s, %d tensors, %s numbers, %s; no network of fcnx's\n\n", r.Source, r.Format, len(r.Tensors), figure(r.Numbers), wording.Bytes(r.Bytes))
	rows := [][]string{{"tensor", "shape", "type", "numbers"}}
	for _, t := range r.Tensors {
		dims := make([]string, len(t.Shape))
		for i, d := range t.Shape {
			dims[i] = strconv.Itoa(d)
		}
		rows = append(rows, []string{wording.Printable(t.Name), "[" + strings.Join(dims, ",") + "]", t.DType, figure(t.Count)})
	}
	writeColumns(&b, rows, 3)
	_, err := io.WriteString(w, b.String())
	return err
}
