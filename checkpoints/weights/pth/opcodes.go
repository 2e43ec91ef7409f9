package pth

import (
	"errors"
	"fmt"
)

const opStop = '.'

// operations is the whole list of what a pickle can make the machine do. Of protocol
// 0, torch.save writes nothing but GLOBAL; what is missing else are the ways to call
// by number (EXT), to make objects of classes by name (INST, OBJ), and buffers out of
// the file.
var operations = [256]func(*machine) error{
	0x80: func(m *machine) error { // PROTO
		version, err := m.src.byte()
		if err == nil && version > 5 {
			return fmt.Errorf("pickle protocol %d is not known", version)
		}
		return err
	},
	0x95: func(m *machine) error { // FRAME: a hint for readers that buffer
		_, err := m.src.unsigned(8)
		return err
	},

	'N':  func(m *machine) error { return m.push(nil) },
	0x88: func(m *machine) error { return m.push(true) },
	0x89: func(m *machine) error { return m.push(false) },
	'J':  func(m *machine) error { return m.integer(4, true) },
	'K':  func(m *machine) error { return m.integer(1, false) },
	'M':  func(m *machine) error { return m.integer(2, false) },
	0x8a: func(m *machine) error { return m.long(1) },
	0x8b: func(m *machine) error { return m.long(4) },
	'G':  (*machine).float,

	'X':  func(m *machine) error { return m.string(4) }, // BINUNICODE
	0x8c: func(m *machine) error { return m.string(1) },
	0x8d: func(m *machine) error { return m.string(8) },
	'T':  func(m *machine) error { return m.string(4) }, // BINSTRING: of Python 2
	'U':  func(m *machine) error { return m.string(1) },
	'B':  func(m *machine) error { return m.bytes(4) }, // BINBYTES
	'C':  func(m *machine) error { return m.bytes(1) },
	0x8e: func(m *machine) error { return m.bytes(8) },
	0x96: func(m *machine) error { return m.bytes(8) }, // BYTEARRAY8

	'(': func(m *machine) error {
		m.marks = append(m.marks, len(m.stack))
		return nil
	},
	'0': func(m *machine) error { // POP, which takes a mark, too
		if len(m.marks) > 0 && m.floor() == len(m.stack) {
			m.marks = m.marks[:len(m.marks)-1]
			return nil
		}
		_, err := m.pop()
		return err
	},
	'1': func(m *machine) error {
		_, err := m.popMark()
		return err
	},
	'2': func(m *machine) error {
		v, err := m.top()
		if err != nil {
			return err
		}
		return m.push(v)
	},

	')':  func(m *machine) error { return m.push(tuple(nil)) },
	0x85: func(m *machine) error { return m.tuple(1) },
	0x86: func(m *machine) error { return m.tuple(2) },
	0x87: func(m *machine) error { return m.tuple(3) },
	't': func(m *machine) error {
		values, err := m.popMark()
		if err != nil {
			return err
		}
		return m.push(tuple(values))
	},

	']': func(m *machine) error { return m.push(&list{}) },
	'l': func(m *machine) error {
		values, err := m.popMark()
		if err != nil {
			return err
		}
		return m.push(&list{values})
	},
	'a': func(m *machine) error { // APPEND
		values, err := m.popN(1)
		if err != nil {
			return err
		}
		return m.add(values)
	},
	'e':  appends,
	0x8f: func(m *machine) error { return m.push(opaque{}) }, // EMPTY_SET
	0x90: appends,                                            // ADDITEMS
	0x91: func(m *machine) error { // FROZENSET
		if _, err := m.popMark(); err != nil {
			return err
		}
		return m.push(opaque{})
	},

	'}': func(m *machine) error { return m.push(&dict{}) },
	'd': func(m *machine) error {
		pairs, err := m.popMark()
		if err != nil {
			return err
		}
		if err := m.push(&dict{}); err != nil {
			return err
		}
		return m.set(pairs)
	},
	's': func(m *machine) error { // SETITEM
		pairs, err := m.popN(2)
		if err != nil {
			return err
		}
		return m.set(pairs)
	},
	'u': func(m *machine) error { // SETITEMS
		pairs, err := m.popMark()
		if err != nil {
			return err
		}
		return m.set(pairs)
	},

	'q':  func(m *machine) error { return m.put(1) },
	'r':  func(m *machine) error { return m.put(4) },
	0x94: func(m *machine) error { return m.remember(uint64(len(m.memo))) }, // MEMOIZE
	'h':  func(m *machine) error { return m.get(1) },
	'j':  func(m *machine) error { return m.get(4) },

	'Q': func(m *machine) error { // BINPERSID
		id, err := m.pop()
		if err != nil {
			return err
		}
		v, err := m.persistent(id)
		if err != nil {
			return err
		}
		return m.push(v)
	},

	'c': func(m *machine) error { // GLOBAL
		module, name, err := m.src.qualifiedName()
		if err != nil {
			return err
		}
		return m.global(module, name)
	},
	0x93: func(m *machine) error { // STACK_GLOBAL
		names, err := m.popN(2)
		if err != nil {
			return err
		}
		module, isString := names[0].(string)
		name, areStrings := names[1].(string)
		if !isString || !areStrings {
			return errors.New("the pickle wants something by a name that is no string")
		}
		return m.global(module, name)
	},
	'R':  func(m *machine) error { return m.reduce(2) }, // REDUCE
	0x81: func(m *machine) error { return m.reduce(2) }, // NEWOBJ
	0x92: func(m *machine) error { return m.reduce(3) }, // NEWOBJ_EX, with keywords
	'b': func(m *machine) error { // BUILD: attributes, none of which is a tensor of a state dict
		if _, err := m.pop(); err != nil {
			return err
		}
		object, err := m.top()
		if err != nil {
			return err
		}
		switch object.(type) {
		case *dict, *tensor, opaque:
			return nil
		}
		return fmt.Errorf("the pickle sets attributes of %s", kindOf(object))
	},
	'i': func(m *machine) error { // INST, to be able to say whose
		module, name, err := m.src.qualifiedName()
		if err != nil {
			return err
		}
		return &GlobalError{qualified(module, name)}
	},
	'o':  func(*machine) error { return &GlobalError{"a class by opcode OBJ"} },
	0x82: byNumber,
	0x83: byNumber,
	0x84: byNumber,
}

func appends(m *machine) error {
	values, err := m.popMark()
	if err != nil {
		return err
	}
	return m.add(values)
}

func byNumber(*machine) error { return &GlobalError{"a function by its number (opcode EXT)"} }
