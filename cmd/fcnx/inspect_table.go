package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
)

// inspectWidth is what the text of `inspect` fits into, as long as sides have four
// digits.
const inspectWidth = 80

// print writes the report for people. ReLU and dropout are left out: they have no
// weights and change no shape.
func (r inspectReport) print(w io.Writer) error {
	var b strings.Builder
	if r.Source != "" {
		fmt.Fprintln(&b, r.Source)
	}
	m := r.Model
	if r.Parts == nil {
		fmt.Fprintf(&b, "%s on %s, geometry %s, upsampling %s, image %dx%d\n\n", m.Arch, m.Encoder, m.Geometry, m.Upsample, r.Height, r.Width)
	} else {
		fmt.Fprintf(&b, "%s of %s, geometry %s, image %dx%d\n\n", strings.Join(r.Parts, " and "), m.Encoder, m.Geometry, r.Height, r.Width)
	}

	rows := [][]string{{"layer", "operation", "output", "weights", "mul-adds", "field", "stride"}}
	for _, l := range r.Layers {
		if l.Op == models.OpReLU || l.Op == models.OpDropout {
			continue
		}
		rows = append(rows, []string{
			l.Name, l.operation(), fmt.Sprintf("%dx%dx%d", l.Height, l.Width, l.Channels),
			figure(l.Parameters), figure(l.MultiplyAdds), fmt.Sprint(l.Field.Size), fmt.Sprint(l.Field.Stride),
		})
	}
	writeColumns(&b, rows, 2)

	b.WriteString("\n")
	fmt.Fprintf(&b, "weights        %s, %s as float32\n", figure(r.Parameters), wording.Bytes(4*r.Parameters))
	fmt.Fprintf(&b, "multiply-adds  %s an image\n", figure(r.MultiplyAdds))
	fmt.Fprintf(&b, "activations    %s an image, if all were kept\n", wording.Bytes(r.ActivationBytes))
	if crops := r.crops(); crops != "" {
		fmt.Fprintf(&b, "crops          %s\n", crops)
	}
	r.printPreprocess(&b)
	if r.Parts == nil {
		names := []string{"without names"}
		if r.Classes != nil {
			names = r.Classes
		}
		writeWrapped(&b, fmt.Sprintf("classes        %d: ", m.Classes), names)
	}
	r.printOrigin(&b)
	if r.Memory != nil {
		b.WriteString("\n")
		r.Memory.print(&b)
	}
	if r.Stats != nil {
		b.WriteString("\n")
		printStats(&b, r.Stats)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printPreprocess says how the network sees a byte x, and how that is known where the
// file does not say it.
func (r inspectReport) printPreprocess(b *strings.Builder) {
	p := r.Preprocess
	if p == nil {
		writeField(b, "preprocess", "the file does not tell what it was trained with, and nor do its names")
		return
	}
	fmt.Fprintf(b, "preprocess     %s, (x * scale - mean) / std, scale %.8g\n", p.Order, p.Scale)
	fmt.Fprintf(b, "               mean %.8g %.8g %.8g\n", p.Mean[0], p.Mean[1], p.Mean[2])
	fmt.Fprintf(b, "               std %.8g %.8g %.8g\n", p.Std[0], p.Std[1], p.Std[2])
	if f := r.foreign; f != nil {
		writeField(b, "", strings.TrimSpace(f.pixelsBy+" ("+f.pixels+")"))
	}
}

// printOrigin says what kind of file it is, and what is missing in it or left out of it.
func (r inspectReport) printOrigin(b *strings.Builder) {
	if f := r.foreign; f != nil {
		writeField(b, "file", f.format+", "+f.names)
		if f.leftOut > 0 {
			writeField(b, "left out", fmt.Sprintf("%d tensors; fcnx weights import says which, and why", f.leftOut))
		}
	} else if r.Origin != "" {
		writeField(b, "imported from", wording.Printable(r.Origin))
	}
	if r.Parts != nil {
		missing := "score layers and upsampling"
		if !slices.Contains(r.Parts, models.PartHead) {
			missing = "fc6, fc7, " + missing
		}
		writeField(b, "missing", missing+"; fcnx train --init FILE starts them fresh")
	}
}

// writeField writes a line of the list below the table, or as many as text needs.
func writeField(b *strings.Builder, name, text string) {
	line := fmt.Sprintf("%-14s", name)
	for _, word := range strings.Fields(text) {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > inspectWidth && strings.TrimSpace(line) != name {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", 14)
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// operation is "conv 3x3".
func (l layerReport) operation() string {
	switch l.Op {
	case models.OpConv:
		text := fmt.Sprintf("conv %dx%d", l.Kernel, l.Kernel)
		if l.Pad != l.Kernel/2 {
			text += fmt.Sprintf(" pad %d", l.Pad)
		}
		return text
	case models.OpPool:
		if l.Ceil {
			return fmt.Sprintf("pool %dx%d ceil", l.Kernel, l.Kernel)
		}
		return fmt.Sprintf("pool %dx%d", l.Kernel, l.Kernel)
	case models.OpUpsample:
		return fmt.Sprintf("upsample %dx%d", l.Kernel, l.Kernel)
	case models.OpPad:
		return fmt.Sprintf("pad to %ds", l.Stride)
	case models.OpCrop:
		return fmt.Sprintf("crop at %d", *l.Crop)
	case models.OpScale:
		return fmt.Sprintf("times %g", l.Factor)
	}
	return string(l.Op)
}

// crops lists where each crop begins.
func (r inspectReport) crops() string {
	var list []string
	for _, l := range r.Layers {
		if l.Crop != nil {
			list = append(list, fmt.Sprintf("%s at %d", l.Name, *l.Crop))
		}
	}
	return strings.Join(list, ", ")
}

func (m memoryReport) print(b *strings.Builder) {
	each := ""
	if m.Devices > 1 {
		each = fmt.Sprintf("of which each of %d devices has %d, ", m.Devices, m.Batch/m.Devices)
	}
	fmt.Fprintf(b, "XLA's account of compiled steps, batch %d of %dx%d, %son %s:\n", m.Batch, m.Height, m.Width, each, m.Backend)
	rows := [][]string{{"", "evaluation", "training step"}}
	for _, line := range []struct {
		name string
		of   func(memoryFigures) int64
	}{
		{"arguments", func(f memoryFigures) int64 { return f.Arguments }},
		{"outputs", func(f memoryFigures) int64 { return f.Outputs }},
		{"of these over arguments", func(f memoryFigures) int64 { return f.Aliased }},
		{"temporaries", func(f memoryFigures) int64 { return f.Temporaries }},
		{"code", func(f memoryFigures) int64 { return f.Code }},
		{"needed", func(f memoryFigures) int64 { return f.Needed }},
	} {
		rows = append(rows, []string{line.name, wording.Bytes(line.of(m.Evaluation)), wording.Bytes(line.of(m.TrainingStep))})
	}
	writeColumns(b, rows, 1)
}

func printStats(b *strings.Builder, stats []statsReport) {
	rows := [][]string{{"variable", "numbers", "min", "max", "mean", "std", "zeros"}}
	broken := ""
	for _, s := range stats {
		rows = append(rows, []string{s.Variable, figure(s.Count), known(s.Min), known(s.Max), known(s.Mean), known(s.Std),
			fmt.Sprintf("%.1f%%", 100*s.Zeros)})
		if s.NotFinite > 0 {
			broken += fmt.Sprintf("%s: %d of its %d numbers are NaN or Inf, and left out here\n", s.Variable, s.NotFinite, s.Count)
		}
	}
	writeColumns(b, rows, 1)
	b.WriteString(broken)
}

func known(f *event.Float) string {
	if f == nil {
		return "-"
	}
	return wording.Number(float64(*f))
}

// figure is a count with three or four digits and a unit: 4096, 102.8 M, 15.3 G; "-"
// for none.
func figure(n int64) string {
	if n == 0 {
		return "-"
	}
	v, unit := float64(n), ""
	for _, u := range []string{" k", " M", " G", " T", " P"} {
		if v < 9_999.5 && unit == "" || v < 999.95 {
			break
		}
		v, unit = v/1000, u
	}
	if unit == "" {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%.1f%s", v, unit)
}

// writeColumns aligns rows, whose first left columns are words and the others numbers.
func writeColumns(b *strings.Builder, rows [][]string, left int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case i >= left:
				line += "  " + space + cell
			case i > 0:
				line += "  " + cell + space
			default:
				line += cell + space
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// writeWrapped writes words behind head, with commas, on as many lines as they need.
func writeWrapped(b *strings.Builder, head string, words []string) {
	line, indent := head, strings.Repeat(" ", strings.IndexFunc(head, func(r rune) bool { return r >= '0' && r <= '9' }))
	for i, word := range words {
		word = wording.Printable(word)
		if i < len(words)-1 {
			word += ","
		}
		if i > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > inspectWidth {
			b.WriteString(line + "\n")
			line = indent + word
			continue
		}
		if i > 0 {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
}
