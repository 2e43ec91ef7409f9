package sink

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"strings"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// This file is the format of TensorBoard's event files: TFRecord frames, each with
// an Event of tensorflow/core/util/event.proto. The messages are few and settled
// since 2016; field numbers are beside their names.

// frame puts data between what TFRecord finds it by: its length and two checksums.
func frame(data []byte) []byte {
	f := make([]byte, 0, len(data)+16)
	f = binary.LittleEndian.AppendUint64(f, uint64(len(data)))
	f = binary.LittleEndian.AppendUint32(f, maskedCRC(f))
	f = append(f, data...)
	return binary.LittleEndian.AppendUint32(f, maskedCRC(data))
}

// maskedCRC is CRC-32C, rotated and moved so that data which holds checksums has
// none that are the same.
func maskedCRC(data []byte) uint32 {
	crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (crc>>15 | crc<<17) + 0xa282ead8
}

// newEvent begins an Event with wall_time = 1 and step = 2.
func newEvent(at time.Time, step int64) message {
	var m message
	m.double(1, float64(at.Unix())+float64(at.Nanosecond())/1e9)
	m.varint(2, uint64(step))
	return m
}

// versionEvent is the first of a file: file_version = 3.
func versionEvent(at time.Time) message {
	m := newEvent(at, 0)
	m.text(3, "brain.Event:2")
	return m
}

// startEvent is session_log = 7 with status = 1 START. From the second one on, what
// was written for its step and later ones is void. A run that begins anew, because
// nothing had been saved, has nothing before it that counts.
func startEvent(r event.Started) message {
	first := int64(0)
	if r.Step > 0 {
		first = r.Step + 1
	}
	var session message
	session.varint(1, 1)
	m := newEvent(r.Time, first)
	m.bytes(7, session)
	return m
}

// scalarEvent is summary = 5 with a value for each scalar: tag = 1, simple_value = 2.
func scalarEvent(at time.Time, step int64, scalars []scalar) message {
	var summary, value message
	for _, s := range scalars {
		value = value[:0]
		value.text(1, s.tag)
		value.float(2, float32(s.value))
		summary.bytes(1, value)
	}
	m := newEvent(at, step)
	m.bytes(5, summary)
	return m
}

// imageEvent is summary = 5 with one value: tag = 1, image = 4, which has height = 1,
// width = 2, colorspace = 3 (3 is RGB) and encoded_image_string = 4.
func imageEvent(at time.Time, step int64, tag string, p picture) message {
	var img, value, summary message
	img.varint(1, uint64(p.height))
	img.varint(2, uint64(p.width))
	img.varint(3, 3)
	img.bytes(4, p.png)
	value.text(1, tag)
	value.bytes(4, img)
	summary.bytes(1, value)
	m := newEvent(at, step)
	m.bytes(5, summary)
	return m
}

// message is a protocol buffer that grows field by field.
type message []byte

// The wire types of protocol buffers.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

func (m *message) key(field, wire uint64) {
	*m = binary.AppendUvarint(*m, field<<3|wire)
}

func (m *message) varint(field, v uint64) {
	m.key(field, wireVarint)
	*m = binary.AppendUvarint(*m, v)
}

func (m *message) double(field uint64, v float64) {
	m.key(field, wireFixed64)
	*m = binary.LittleEndian.AppendUint64(*m, math.Float64bits(v))
}

func (m *message) float(field uint64, v float32) {
	m.key(field, wireFixed32)
	*m = binary.LittleEndian.AppendUint32(*m, math.Float32bits(v))
}

func (m *message) bytes(field uint64, v []byte) {
	m.key(field, wireBytes)
	*m = binary.AppendUvarint(*m, uint64(len(v)))
	*m = append(*m, v...)
}

// text makes v valid UTF-8: readers drop a whole file for one name that is not.
func (m *message) text(field uint64, v string) {
	m.bytes(field, []byte(strings.ToValidUTF8(v, "\ufffd")))
}
