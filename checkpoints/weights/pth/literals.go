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
		return m.push(int64(int32(n)))
	}
	return m.push(int64(n))
}

// long reads a two's complement number of as many bytes as a number of width bytes
// says.
func (m *machine) long(width int) error {
	n, err := m.src.unsigned(width)
	if err != nil {
		return err
	}
	v, err := m.src.string(n)
	if err != nil {
		return err
	}
	b, kept := v.(string)
	switch {
	case !kept:
		return m.push(v)
	case n > 8:
		return m.push(bigInt(b))
	case n == 0:
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
	n, err := m.src.unsigned(width)
	if err != nil {
		return err
	}
	v, err := m.src.string(n)
	if err != nil {
		return err
	}
	return m.push(v)
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
