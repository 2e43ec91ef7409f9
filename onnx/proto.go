package onnx

import (
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of fields and enums are those of onnx.proto of ONNX 1.12; the messages
// are few, and writing them by hand is what lets weights be streamed.

// ModelProto.
const (
	modelIRVersion       = 1
	modelProducerName    = 2
	modelProducerVersion = 3
	modelModelVersion    = 5
	modelDoc             = 6
	modelGraph           = 7
	modelOpset           = 8
	modelMetadata        = 14
)

// GraphProto.
const (
	graphNode        = 1
	graphName        = 2
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
)

// dtype is TensorProto.DataType.
type dtype uint64

const (
	float32s dtype = 1
	uint8s   dtype = 2
	int64s   dtype = 7
)

// message is the encoding of one protobuf message. Fields are appended in the order
// of their numbers, and those that have no value are left out.
type message []byte

func (m message) integer(field protowire.Number, v int64) message {
	m = protowire.AppendTag(m, field, protowire.VarintType)
	return protowire.AppendVarint(m, uint64(v))
}

func (m message) text(field protowire.Number, s string) message {
	if s == "" {
		return m
	}
	m = protowire.AppendTag(m, field, protowire.BytesType)
	return protowire.AppendString(m, strings.ToValidUTF8(s, "\ufffd"))
}

func (m message) message(field protowire.Number, sub message) message {
	m = protowire.AppendTag(m, field, protowire.BytesType)
	return protowire.AppendBytes(m, sub)
}

// length opens a field of n bytes that the caller writes after it.
func (m message) length(field protowire.Number, n int64) message {
	m = protowire.AppendTag(m, field, protowire.BytesType)
	return protowire.AppendVarint(m, uint64(n))
}

// attribute is an AttributeProto.
type attribute message

const (
	attributeName = 1
	attributeType = 20
)

func intAttribute(name string, v int) attribute {
	m := message(nil).text(attributeName, name).integer(3, int64(v))
	return attribute(m.integer(attributeType, 2)) // INT
}

func floatAttribute(name string, v float64) attribute {
	m := message(nil).text(attributeName, name)
	m = protowire.AppendTag(m, 2, protowire.Fixed32Type)
	m = protowire.AppendFixed32(m, math.Float32bits(float32(v)))
	return attribute(m.integer(attributeType, 1)) // FLOAT
}

func intsAttribute(name string, values ...int) attribute {
	m := message(nil).text(attributeName, name)
	for _, v := range values {
		m = m.integer(8, int64(v))
	}
	return attribute(m.integer(attributeType, 7)) // INTS
}

// node is a NodeProto with one output, after which it is named.
func node(kind, output string, inputs []string, attributes []attribute) message {
	var m message
	for _, input := range inputs {
		m = m.text(1, input)
	}
	m = m.text(2, output).text(3, output).text(4, kind)
	for _, a := range attributes {
		m = m.message(5, message(a))
	}
	return m
}

// value is a ValueInfoProto: an input or output of the graph. A dimension is an int,
// or a string that names one which is free.
func value(name string, t dtype, dims ...any) message {
	var shape message
	for _, d := range dims {
		var dim message
		switch d := d.(type) {
		case int:
			dim = dim.integer(1, int64(d))
		case string:
			dim = dim.text(2, d)
		}
		shape = shape.message(1, dim)
	}
	tensor := message(nil).integer(1, int64(t)).message(2, shape)
	return message(nil).text(1, name).message(2, message(nil).message(1, tensor))
}

// pair is a StringStringEntryProto.
func pair(key, value string) message { return message(nil).text(1, key).text(2, value) }
