package pth

import (
	"encoding/binary"
	"math"
)

// These push the numbers and strings that stand in the pickle itself.

func (m *machine) integer(width int, isSigned bool) error {
	n, err := m.src.unsigned(width)
	if err != nil {
		return err
	}
	if isSigned {
		return m.push(int64(int32(n))) // #nosec G115 -- the four bytes are a signed number
	}
	return m.push(int64(n)) // #nosec G115 -- of one or two bytes
}

// long reads a two's complement number of as many bytes as a number of width bytes
// says.
func (m *machine) long(width int) error {
	v, err := m.counted(width)
	if err != nil {
		return err
	}
	b, kept := v.(string)
	switch {
	case !kept:
		return m.push(v)
	case len(b) > 8:
		return m.push(bigInt(b))
	case len(b) == 0:
		return m.push(int64(0))
	}
	number := int64(0)
	for i := len(b) - 1; i >= 0; i-- {
		number = number<<8 | int64(b[i])
	}
	unused := 64 - 8*len(b)
	return m.push(number << unused >> unused)
}

func (m *machine) float() error {
	var b [8]byte
	if err := m.src.fixed(b[:]); err != nil {
		return err
	}
	return m.push(math.Float64frombits(binary.BigEndian.Uint64(b[:])))
}

func (m *machine) string(width int) error {
	v, err := m.counted(width)
	if err != nil {
		return err
	}
	return m.push(v)
}

// counted reads as many bytes as a number of width bytes says.
func (m *machine) counted(width int) (value, error) {
	n, err := m.src.unsigned(width)
	if err != nil {
		return nil, err
	}
	return m.src.string(n)
}

// bytes reads over bytes, which are never part of a state dict.
func (m *machine) bytes(width int) error {
	n, err := m.src.unsigned(width)
	if err != nil {
		return err
	}
	if err := m.src.skip(n); err != nil {
		return err
	}
	return m.push(opaque{})
}
