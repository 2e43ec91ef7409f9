package npz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A .npy file is a magic string, the version (two bytes), the header's length (two
// bytes in version 1, four in 2 and 3, little-endian), the header, and the numbers:
//
//	{'descr': '<f4', 'fortran_order': False, 'shape': (64, 3, 3, 3), }
//
// The header is a literal of Python's, padded with spaces, and ends in a newline. The
// caps are numpy's own, https://numpy.org/neps/nep-0001-npy-format.html.
const (
	magic           = "\x93NUMPY"
	maxHeaderLength = 10_000
	maxDims         = 64
)

// header is what a .npy file says of its array.
type header struct {
	dtype        string // as safetensors spells it
	itemSize     int    // bytes a number
	bigEndian    bool
	fortranOrder bool // the first axis varies fastest
	shape        []int
}

// dtypes has numpy's kinds and sizes that safetensors has a name for.
var dtypes = map[string]string{
	"f2": "F16", "f4": "F32", "f8": "F64",
	"i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64",
	"u1": "U8", "u2": "U16", "u4": "U32", "u8": "U64",
	"b1": "BOOL",
}

// readHeader reads all that is before the numbers, and returns its length in bytes.
func readHeader(r io.Reader) (header, int64, error) {
	var start [len(magic) + 2]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return header{}, 0, fmt.Errorf("reading the header of .npy: %w", noEOF(err))
	}
	if !bytes.HasPrefix(start[:], []byte(magic)) {
		return header{}, 0, errors.New("it does not begin as a .npy file does")
	}
	var length [4]byte
	width := 4
	switch start[len(magic)] {
	case 1:
		width = 2
	case 2, 3:
	default:
		return header{}, 0, fmt.Errorf("version %d.%d of .npy is not known", start[len(magic)], start[len(magic)+1])
	}
	if _, err := io.ReadFull(r, length[:width]); err != nil {
		return header{}, 0, fmt.Errorf("reading the header of .npy: %w", noEOF(err))
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxHeaderLength {
		return header{}, 0, fmt.Errorf("its header would have %d bytes, and at most %d are allowed", n, maxHeaderLength)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return header{}, 0, fmt.Errorf("reading the header of .npy: %w", noEOF(err))
	}
	h, err := parseHeader(string(text))
	return h, int64(len(start)) + int64(width) + int64(n), err
}

// noEOF is for reads of what must be there.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseHeader reads the literal of a dictionary with exactly three keys.
func parseHeader(text string) (header, error) {
	p := &literal{text}
	var h header
	seen := map[string]bool{}
	if !p.skip("{") {
		return h, p.want("{")
	}
	for !p.skip("}") {
		key, err := p.string()
		if err != nil {
			return h, err
		}
		if seen[key] {
			return h, fmt.Errorf("its header has the key %.20q twice", key)
		}
		seen[key] = true
		if !p.skip(":") {
			return h, p.want(":")
		}
		switch key {
		case "descr":
			err = p.dtype(&h)
		case "fortran_order":
			h.fortranOrder, err = p.bool()
		case "shape":
			h.shape, err = p.shape()
		default:
			err = fmt.Errorf("its header has an unknown key %.20q", key)
		}
		if err != nil {
			return h, err
		}
		if !p.skip(",") && !p.before("}") {
			return h, p.want("}")
		}
	}
	if len(seen) != 3 {
		return h, errors.New("its header needs descr, fortran_order and shape")
	}
	if p.space(); p.rest != "" {
		return h, fmt.Errorf("%d bytes follow the end of its header", len(p.rest))
	}
	return h, nil
}

// literal is the text of a Python literal that is still to be read. Escapes and
// prefixes of strings, hexadecimal numbers, comments and nesting are not for headers.
type literal struct{ rest string }

func (p *literal) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *literal) before(token string) bool {
	p.space()
	return strings.HasPrefix(p.rest, token)
}

func (p *literal) skip(token string) bool {
	if !p.before(token) {
		return false
	}
	p.rest = p.rest[len(token):]
	return true
}

func (p *literal) want(what string) error {
	p.space()
	if p.rest == "" {
		return fmt.Errorf("its header ends where %s should be", what)
	}
	return fmt.Errorf("its header has %.20q where %s should be", p.rest, what)
}

func (p *literal) string() (string, error) {
	for _, quote := range []string{"'", `"`} {
		if !p.before(quote) {
			continue
		}
		s, rest, closed := strings.Cut(p.rest[1:], quote)
		if !closed || strings.ContainsAny(s, "\\\r\n") {
			break
		}
		p.rest = rest
		return s, nil
	}
	return "", p.want("a string")
}

func (p *literal) bool() (bool, error) {
	switch {
	case p.skip("True"):
		return true, nil
	case p.skip("False"):
		return false, nil
	}
	return false, p.want("True or False")
}

// shape reads a tuple; one of one element has a comma, and Python 2 wrote 3L for 3.
func (p *literal) shape() ([]int, error) {
	if !p.skip("(") {
		return nil, p.want("a tuple")
	}
	shape := []int{}
	for comma := true; !p.skip(")"); {
		if p.space(); !comma {
			return nil, p.want(")")
		}
		n := len(p.rest) - len(strings.TrimLeft(p.rest, "0123456789"))
		if n == 0 {
			return nil, p.want("a size")
		}
		d, err := strconv.Atoi(p.rest[:n])
		if err != nil {
			return nil, fmt.Errorf("dimension %.40s is too large", p.rest[:n])
		}
		p.rest = strings.TrimPrefix(p.rest[n:], "L")
		shape = append(shape, d)
		if len(shape) > maxDims {
			return nil, fmt.Errorf("its shape has more than %d dimensions", maxDims)
		}
		if comma = p.skip(","); !comma && len(shape) == 1 {
			return nil, p.want("a comma, which makes a tuple,")
		}
	}
	return shape, nil
}

func (p *literal) dtype(h *header) error {
	if p.before("[") || p.before("(") {
		return errors.New("it is an array of records, not of numbers")
	}
	s, err := p.string()
	if err != nil {
		return err
	}
	order, kind := byte('|'), s
	if s != "" && strings.IndexByte("<>|=", s[0]) >= 0 {
		order, kind = s[0], s[1:]
	}
	if strings.HasPrefix(kind, "O") {
		return errors.New("it is an array of Python objects, which is a pickle and is not read: save arrays of numbers")
	}
	dtype, known := dtypes[kind]
	if !known {
		return fmt.Errorf("dtype %.20q is not known", s)
	}
	h.dtype, h.itemSize, h.bigEndian = dtype, int(kind[1]-'0'), order == '>'
	// '=' is the order of a machine that the file does not name.
	if h.itemSize > 1 && order != '<' && order != '>' {
		return fmt.Errorf("dtype %.20q does not say which byte comes first", s)
	}
	return nil
}
