package onnx

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
)

// initializer is a constant of the graph: a TensorProto whose raw_data write writes
// when its turn has come.
type initializer struct {
	name  string
	dtype dtype
	dims  []int
	write func(w io.Writer) error
}

// bytes is the length of raw_data.
func (i initializer) bytes() int64 {
	n := map[dtype]int64{float32s: 4, int64s: 8}[i.dtype]
	for _, d := range i.dims {
		n *= int64(d)
	}
	return n
}

// head is the TensorProto up to the bytes of raw_data, which end it.
func (i initializer) head() message {
	var m message
	for _, d := range i.dims {
		m = m.integer(1, int64(d))
	}
	return m.integer(2, int64(i.dtype)).text(8, i.name).length(9, i.bytes())
}

// model returns the size of the ModelProto in bytes, and what writes it.
func (g *graph) model(o Options) (size int64, stream func(w io.Writer) error) {
	// The graph is its nodes, the initializers, and its inputs and outputs.
	var before, after message
	for _, n := range g.nodes {
		before = before.message(graphNode, n)
	}
	before = before.text(graphName, g.name)
	heads := make([]message, len(g.initializers))
	constants := int64(0)
	for i, init := range g.initializers {
		head := init.head()
		heads[i] = append(message(nil).length(graphInitializer, int64(len(head))+init.bytes()), head...)
		constants += int64(len(heads[i])) + init.bytes()
	}
	after = after.message(graphInput, g.input)
	for _, output := range g.outputs {
		after = after.message(graphOutput, output)
	}

	// The model is the graph, and words around it.
	head := message(nil).integer(modelIRVersion, irVersion).text(modelProducerName, "fcnx").
		text(modelProducerVersion, o.Version).integer(modelModelVersion, modelVersion).text(modelDoc, o.Doc).
		length(modelGraph, int64(len(before))+constants+int64(len(after)))
	head = append(head, before...)
	tail := append(after, message(nil).message(modelOpset, message(nil).integer(2, Opset))...) // of the domain "", ONNX's own
	for _, key := range slices.Sorted(maps.Keys(o.Metadata)) {
		tail = tail.message(modelMetadata, pair(key, o.Metadata[key]))
	}

	return int64(len(head)) + constants + int64(len(tail)), func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 1<<20)
		if _, err := out.Write(head); err != nil {
			return err
		}
		for i, init := range g.initializers {
			if _, err := out.Write(heads[i]); err != nil {
				return err
			}
			counted := &counter{w: out}
			if err := init.write(counted); err != nil {
				return err
			}
			if counted.n != init.bytes() {
				return fmt.Errorf("%s has %d bytes, and %d were announced", init.name, counted.n, init.bytes())
			}
		}
		if _, err := out.Write(tail); err != nil {
			return err
		}
		return out.Flush()
	}
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
