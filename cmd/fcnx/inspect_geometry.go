package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

func newInspectGeometryCommand() *cobra.Command {
	flags := networkFlags{step: -1}
	cmd := &cobra.Command{
		Use:   "geometry HxW --model NAME",
		Short: "Follow an image of one size through padding, pooling and crops",
		Long: `Follow an image of HxW pixels through a network, by sizes alone: what is padded, what each pooling leaves, from where
each crop is cut and why there, and which pixels of the image a pixel of the result sees. "begins over" is the place in the
image of a tensor's first pixel; "outside" counts what a pixel sees of the zeros before and behind the image.

--encoder is vgg16 and --geometry same, unless they are given.`,
		Example: "  fcnx inspect geometry 375x500 --model fcn8s --geometry paper",
		Args:    oneArgument("HxW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, w, err := train.ParseSize(args[0])
			if err != nil {
				return usageError(err)
			}
			network, err := describedNetwork(flags)
			if err != nil {
				return err
			}
			net := network.config.Network()
			trace, err := net.Trace(h, w)
			if err != nil {
				return usageError(err)
			}
			return printGeometry(cmd.OutOrStdout(), net, trace)
		},
	}
	cmd.Flags().StringVar(&flags.arch, "model", "", "fcn32s, fcn16s or fcn8s, as `name`")
	cmd.Flags().StringVar(&flags.encoder, "encoder", "", "vgg11, vgg13, vgg16 or vgg19, as `name`")
	cmd.Flags().StringVar(&flags.geometry, "geometry", "", "same or paper, as `name`")
	return cmd
}

// printGeometry shows the operations that change sizes, then why crops begin where
// they do, then what pixels see.
func printGeometry(out io.Writer, net models.Config, t models.Trace) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s, geometry %s, image %dx%d: valid\n\n", net.Arch, net.Encoder, net.Geometry, t.Height, t.Width)
	rows := [][]string{
		{"tensor", "how", "size", "stride", "begins over"},
		{models.Images, "", fmt.Sprintf("%dx%d", t.Height, t.Width), "1", "0"},
	}
	sizes := map[string]models.TracedOp{models.Images: {Height: t.Height, Width: t.Width}}
	var crops strings.Builder
	for _, op := range t.Ops {
		in := sizes[op.Inputs[0]]
		sizes[op.Name] = op
		how := spatially(op, in)
		if how == "" {
			continue
		}
		rows = append(rows, []string{op.Name, how, fmt.Sprintf("%dx%d", op.Height, op.Width), fmt.Sprint(op.Field.Stride), fmt.Sprintf("%g", op.Field.Centre)})
		if op.Kind == models.OpCrop {
			explainCrop(&crops, t, op, in)
		}
	}
	writeColumns(&b, rows, 2)
	b.WriteString("\n" + crops.String() + "\n")
	explainFields(&b, t)
	_, err := io.WriteString(out, b.String())
	return err
}

// spatially says what an operation does to sizes, "" where that is nothing.
func spatially(op, in models.TracedOp) string {
	switch op.Kind {
	case models.OpPad:
		return fmt.Sprintf("zeros: %d below, %d right", op.Height-in.Height, op.Width-in.Width)
	case models.OpConv:
		if op.Pad == op.Kernel/2 && op.Kernel != 7 {
			return ""
		}
		if op.Pad == 0 {
			return fmt.Sprintf("%dx%d, no padding", op.Kernel, op.Kernel)
		}
		return fmt.Sprintf("%dx%d, %d zeros all around", op.Kernel, op.Kernel, op.Pad)
	case models.OpPool:
		if in.Height%op.Stride+in.Width%op.Stride > 0 { // only where pooling is in ceil mode
			return "halved, rounded up"
		}
		return "halved"
	case models.OpUpsample:
		if op.Pad > 0 {
			return fmt.Sprintf("%d times, less %d all around", op.Stride, op.Pad)
		}
		return fmt.Sprintf("%d times, and %d more", op.Stride, op.Stride)
	case models.OpCrop:
		return fmt.Sprintf("cut from %d on", op.Offset)
	}
	return ""
}

// explainCrop says what a crop leaves over, and why it begins where it does: there the
// fine tensor lies over the same pixel of the image as the first one of the coarse.
func explainCrop(b *strings.Builder, t models.Trace, crop, in models.TracedOp) {
	fmt.Fprintf(b, "%s: %dx%d of %dx%d, from %d on; %d below and %d to the right stay\n",
		crop.Name, crop.Height, crop.Width, in.Height, in.Width, crop.Offset,
		in.Height-crop.Height-crop.Offset, in.Width-crop.Width-crop.Offset)
	like, to := "the image", 0.0
	if whole, ok := t.Find(crop.Like); ok {
		like, to = crop.Like, whole.Field.Centre
	}
	if from := in.Field.Centre; from != to {
		fmt.Fprintf(b, "  %s is over %g, %s over %g: %g apart, %g of stride %d\n",
			crop.Inputs[0], from, like, to, to-from, (to-from)/float64(in.Field.Stride), in.Field.Stride)
	}
}

// explainFields says what the first, the middle and the last pixel of the result see.
func explainFields(b *strings.Builder, t models.Trace) {
	field := t.Ops[len(t.Ops)-1].Field
	reach := 0
	for i := range 64 { // two strides of the coarsest scores
		first, last := field.Sees(i)
		reach = max(reach, i-first, last-i)
	}
	fmt.Fprintf(b, "a pixel of the result sees a square of at most %d, and %d away at most:\n", field.Size, reach)
	rows := [][]string{{"pixel", "rows", "outside", "columns", "outside"}}
	sees := func(i, side int) (inside, outside string) {
		first, last := field.Sees(i)
		return fmt.Sprintf("%d to %d", max(first, 0), min(last, side-1)),
			fmt.Sprintf("%d and %d", max(-first, 0), max(last-side+1, 0))
	}
	for _, at := range []struct {
		name        string
		row, column int
	}{{"first", 0, 0}, {"middle", t.Height / 2, t.Width / 2}, {"last", t.Height - 1, t.Width - 1}} {
		rows1, rows2 := sees(at.row, t.Height)
		columns1, columns2 := sees(at.column, t.Width)
		rows = append(rows, []string{fmt.Sprintf("%s, (%d,%d)", at.name, at.row, at.column), rows1, rows2, columns1, columns2})
	}
	writeColumns(b, rows, 1)
}
