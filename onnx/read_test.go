package onnx_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// The reader of the tests knows ONNX from onnx.proto, and nothing of the writer.

type onnxModel struct {
	ir, opset, modelVersion        int64
	producer, version, doc, domain string
	metadata                       map[string]string
	name                           string
	nodes                          []onnxNode
	constants                      map[string]array
	order                          []string // of the constants
	inputs, outputs                []onnxValue
}

type onnxNode struct {
	name, kind      string
	inputs, outputs []string
	attributes      map[string][]float64 // an INT or FLOAT is a list of one
}

type onnxValue struct {
	name  string
	dtype int64
	dims  []string
}

// fields calls visit with each field of a message; n is a varint's or fixed32's value,
// sub the bytes of the others.
func fields(t *testing.T, b []byte, visit func(field protowire.Number, n uint64, sub []byte)) {
	t.Helper()
	for len(b) > 0 {
		field, kind, length := protowire.ConsumeTag(b)
		require.Positive(t, length)
		b = b[length:]
		var n uint64
		var sub []byte
		switch kind {
		case protowire.VarintType:
			n, length = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var fixed uint32
			fixed, length = protowire.ConsumeFixed32(b)
			n = uint64(fixed)
		case protowire.BytesType:
			sub, length = protowire.ConsumeBytes(b)
		default:
			t.Fatalf("field %d has wire type %d", field, kind)
		}
		require.Positive(t, length)
		b = b[length:]
		visit(field, n, sub)
	}
}

func readModel(t *testing.T, b []byte) *onnxModel {
	t.Helper()
	m := &onnxModel{metadata: map[string]string{}, constants: map[string]array{}}
	fields(t, b, func(field protowire.Number, n uint64, sub []byte) {
		switch field {
		case 1:
			m.ir = int64(n)
		case 2:
			m.producer = string(sub)
		case 3:
			m.version = string(sub)
		case 5:
			m.modelVersion = int64(n)
		case 6:
			m.doc = string(sub)
		case 7:
			m.readGraph(t, sub)
		case 8:
			fields(t, sub, func(field protowire.Number, n uint64, sub []byte) {
				switch field {
				case 1:
					m.domain = string(sub)
				case 2:
					m.opset = int64(n)
				}
			})
		case 14:
			var pair [3]string
			fields(t, sub, func(field protowire.Number, _ uint64, sub []byte) { pair[field] = string(sub) })
			m.metadata[pair[1]] = pair[2]
		default:
			t.Fatalf("ModelProto has field %d", field)
		}
	})
	return m
}

func (m *onnxModel) readGraph(t *testing.T, b []byte) {
	t.Helper()
	fields(t, b, func(field protowire.Number, _ uint64, sub []byte) {
		switch field {
		case 1:
			m.nodes = append(m.nodes, readNode(t, sub))
		case 2:
			m.name = string(sub)
		case 5:
			name, a := readTensor(t, sub)
			require.NotContains(t, m.constants, name)
			m.constants[name] = a
			m.order = append(m.order, name)
		case 11:
			m.inputs = append(m.inputs, readValue(t, sub))
		case 12:
			m.outputs = append(m.outputs, readValue(t, sub))
		default:
			t.Fatalf("GraphProto has field %d", field)
		}
	})
}

func readNode(t *testing.T, b []byte) onnxNode {
	t.Helper()
	node := onnxNode{attributes: map[string][]float64{}}
	fields(t, b, func(field protowire.Number, _ uint64, sub []byte) {
		switch field {
		case 1:
			node.inputs = append(node.inputs, string(sub))
		case 2:
			node.outputs = append(node.outputs, string(sub))
		case 3:
			node.name = string(sub)
		case 4:
			node.kind = string(sub)
		case 5:
			var name string
			var kind uint64
			values := map[uint64][]float64{} // by the type whose field they are in
			fields(t, sub, func(field protowire.Number, n uint64, sub []byte) {
				switch field {
				case 1:
					name = string(sub)
				case 2:
					values[1] = append(values[1], float64(math.Float32frombits(uint32(n))))
				case 3:
					values[2] = append(values[2], float64(int64(n)))
				case 8:
					values[7] = append(values[7], float64(int64(n)))
				case 20:
					kind = n
				default:
					t.Fatalf("AttributeProto has field %d", field)
				}
			})
			require.Len(t, values, 1, "%s.%s", node.name, name)
			require.Contains(t, values, kind, "%s.%s", node.name, name)
			node.attributes[name] = values[kind]
		default:
			t.Fatalf("NodeProto has field %d", field)
		}
	})
	return node
}

func readTensor(t *testing.T, b []byte) (name string, a array) {
	t.Helper()
	var raw []byte
	fields(t, b, func(field protowire.Number, n uint64, sub []byte) {
		switch field {
		case 1:
			a.dims = append(a.dims, int(n))
		case 2:
			a.dtype = int64(n)
		case 8:
			name = string(sub)
		case 9:
			raw = sub
		default:
			t.Fatalf("TensorProto has field %d", field)
		}
	})
	switch a.dtype {
	case isFloat:
		for ; len(raw) > 0; raw = raw[4:] {
			a.values = append(a.values, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))))
		}
	case isInt64:
		for ; len(raw) > 0; raw = raw[8:] {
			a.values = append(a.values, float64(int64(binary.LittleEndian.Uint64(raw))))
		}
	default:
		t.Fatalf("%s is of type %d", name, a.dtype)
	}
	require.Len(t, a.values, product(a.dims), name)
	return name, a
}

func readValue(t *testing.T, b []byte) (v onnxValue) {
	t.Helper()
	fields(t, b, func(field protowire.Number, _ uint64, sub []byte) {
		if field == 1 {
			v.name = string(sub)
			return
		}
		fields(t, sub, func(_ protowire.Number, _ uint64, sub []byte) { // TypeProto.tensor_type
			fields(t, sub, func(field protowire.Number, n uint64, sub []byte) {
				if field == 1 {
					v.dtype = int64(n)
					return
				}
				fields(t, sub, func(_ protowire.Number, _ uint64, sub []byte) { // TensorShapeProto.dim
					fields(t, sub, func(field protowire.Number, n uint64, sub []byte) {
						if field == 1 {
							v.dims = append(v.dims, fmt.Sprint(n))
						} else {
							v.dims = append(v.dims, string(sub))
						}
					})
				})
			})
		})
	})
	return v
}

// requireWhole fails unless every name is defined once and before it is used, and
// every constant is used.
func (m *onnxModel) requireWhole(t *testing.T) {
	t.Helper()
	defined, used := map[string]bool{}, map[string]bool{}
	for name := range m.constants {
		defined[name] = true
	}
	for _, input := range m.inputs {
		require.False(t, defined[input.name], input.name)
		defined[input.name] = true
	}
	for _, node := range m.nodes {
		for _, input := range node.inputs {
			require.True(t, defined[input], "%s reads %s, which is not there yet", node.name, input)
			used[input] = true
		}
		for _, output := range node.outputs {
			require.False(t, defined[output], "%s is there twice", output)
			defined[output] = true
		}
	}
	for _, output := range m.outputs {
		require.True(t, defined[output.name], output.name)
		used[output.name] = true
	}
	for name := range defined {
		require.True(t, used[name], "%s is for nobody", name)
	}
}

// text lists what a model does, a line a node.
func (m *onnxModel) text() string {
	var b strings.Builder
	value := func(what string, v onnxValue) {
		fmt.Fprintf(&b, "%s %s: type %d %v\n", what, v.name, v.dtype, v.dims)
	}
	for _, v := range m.inputs {
		value("input", v)
	}
	for _, name := range m.order {
		c := m.constants[name]
		fmt.Fprintf(&b, "constant %s: type %d %v\n", name, c.dtype, c.dims)
	}
	for _, n := range m.nodes {
		fmt.Fprintf(&b, "%s = %s(%s) %v\n", strings.Join(n.outputs, ", "), n.kind, strings.Join(n.inputs, ", "), n.attributes)
	}
	for _, v := range m.outputs {
		value("output", v)
	}
	return b.String()
}
