package models

import "fmt"

// maxSide is the longest side of an image that is traced: all counts then fit into 63
// bits, also of a network sixteen times as wide as the paper's.
const maxSide = 1 << 16

// Trace is what becomes of one image of Height by Width pixels in a network.
type Trace struct {
	Height, Width int
	Ops           []TracedOp // as of [Config.Ops]
}

// TracedOp is an operation, and what it costs for one image.
type TracedOp struct {
	Op
	// Height and Width are those of the output, which has Op.Out channels.
	Height, Width int
	// Parameters counts the numbers that learn, biases among them.
	Parameters int64
	// MultiplyAdds counts the products that are summed in convolutions and
	// upsampling, those with padding among them; a product and its sum are one.
	// Biases, norms, pooling and additions count as nothing.
	MultiplyAdds int64
	// Bytes is the size of the output in float32.
	Bytes int64
	// Field is what a pixel of the output sees of the image.
	Field Field
}

// Trace follows an image of h by w pixels through the network. It is an error if the
// network is not valid, or has nothing to say about an image of that size.
func (c Config) Trace(h, w int) (Trace, error) {
	if err := c.Validate(); err != nil {
		return Trace{}, err
	}
	if h < 1 || w < 1 || h > maxSide || w > maxSide {
		return Trace{}, fmt.Errorf("an image of %dx%d: both sides are 1 to %d pixels", h, w, maxSide)
	}
	parameters := map[string]int64{}
	for _, v := range c.Variables() {
		if v.Learns() {
			parameters[v.Layer] += int64(v.Size())
		}
	}

	t := Trace{Height: h, Width: w}
	done := map[string]TracedOp{Images: {Height: h, Width: w, Field: imageField()}}
	for _, op := range c.Ops() {
		traced, err := c.traceOp(op, done)
		if err != nil {
			return Trace{}, fmt.Errorf("an image of %dx%d: %w", h, w, err)
		}
		traced.Parameters = parameters[op.Name]
		traced.Bytes = 4 * int64(traced.Height) * int64(traced.Width) * int64(op.Out)
		t.Ops = append(t.Ops, traced)
		done[op.Name] = traced
	}
	return t, nil
}

// traceOp finds the size, the work and the field of one operation from those before.
func (c Config) traceOp(op Op, done map[string]TracedOp) (TracedOp, error) {
	in := done[op.Inputs[0]]
	t := TracedOp{Op: op, Height: in.Height, Width: in.Width, Field: in.Field}
	switch op.Kind {
	case OpPad:
		t.Height, t.Width = roundUp(in.Height, op.Stride), roundUp(in.Width, op.Stride)
	case OpConv:
		t.Height, t.Width = in.Height+2*op.Pad-op.Kernel+1, in.Width+2*op.Pad-op.Kernel+1
		t.MultiplyAdds = product(t.Height, t.Width, op.Kernel, op.Kernel, op.In, op.Out)
		t.Field = in.Field.convolve(op.Kernel, op.Pad)
	case OpPool:
		t.Height, t.Width = in.Height/op.Stride, in.Width/op.Stride
		if op.Ceil {
			t.Height, t.Width = roundUp(in.Height, op.Stride)/op.Stride, roundUp(in.Width, op.Stride)/op.Stride
		}
		t.Field = in.Field.pool(op.Kernel)
	case OpUpsample:
		t.Height, t.Width = (in.Height+1)*op.Stride-2*op.Pad, (in.Width+1)*op.Stride-2*op.Pad
		t.MultiplyAdds = product(in.Height, in.Width, op.Kernel, op.Kernel, op.In)
		if c.Upsample == Learned {
			t.MultiplyAdds *= int64(op.Out)
		}
		t.Field = in.Field.upsample(op.Stride, op.Pad)
	case OpCrop:
		like := done[op.Like]
		if in.Height < op.Offset+like.Height || in.Width < op.Offset+like.Width {
			return t, fmt.Errorf("%s would cut %dx%d at %d out of %dx%d", op.Name, like.Height, like.Width, op.Offset, in.Height, in.Width)
		}
		t.Height, t.Width = like.Height, like.Width
		t.Field = in.Field.crop(op.Offset)
	case OpAdd:
		other := done[op.Inputs[1]]
		if other.Height != in.Height || other.Width != in.Width {
			return t, fmt.Errorf("%s would add %dx%d and %dx%d", op.Name, in.Height, in.Width, other.Height, other.Width)
		}
		t.Field = in.Field.and(other.Field)
	}
	if t.Height < 1 || t.Width < 1 {
		return t, fmt.Errorf("%s would leave nothing of %dx%d", op.Name, in.Height, in.Width)
	}
	return t, nil
}

func product(factors ...int) int64 {
	p := int64(1)
	for _, f := range factors {
		p *= int64(f)
	}
	return p
}

// Until is the trace without what comes behind the operation called name.
func (t Trace) Until(name string) Trace {
	for i, op := range t.Ops {
		if op.Name == name {
			t.Ops = t.Ops[:i+1]
			break
		}
	}
	return t
}

// Find gives the operation called name; [Images] is none.
func (t Trace) Find(name string) (op TracedOp, ok bool) {
	for _, op := range t.Ops {
		if op.Name == name {
			return op, true
		}
	}
	return TracedOp{}, false
}

// Parameters counts the numbers that learn, as [Config.Parameters] does.
func (t Trace) Parameters() int64 { return t.sum(func(op TracedOp) int64 { return op.Parameters }) }

// MultiplyAdds counts them for one image; see [TracedOp].
func (t Trace) MultiplyAdds() int64 { return t.sum(func(op TracedOp) int64 { return op.MultiplyAdds }) }

// Bytes is the size of all outputs for one image. A compiled step keeps less: it does
// several operations at a time, and forgets what nobody needs any more.
func (t Trace) Bytes() int64 { return t.sum(func(op TracedOp) int64 { return op.Bytes }) }

func (t Trace) sum(of func(TracedOp) int64) (n int64) {
	for _, op := range t.Ops {
		n += of(op)
	}
	return n
}
