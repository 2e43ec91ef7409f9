package pth

import (
	"errors"
	"fmt"
)

// machine reads one pickle. It is Python's machine without the parts that import or
// call: a class or function is a name, and what a call of it would give is worked out
// here for the few names that state dicts need (globals.go). An opcode that is not
// among these is an error.
//
// https://github.com/python/cpython/blob/main/Lib/pickletools.py says what each does.
type machine struct {
	src   *source
	stack []value
	marks []int // heights of the stack
	memo  []value
	steps int // opcodes that all pickles of a file may still have

	persistent func(id value) (value, error)
}

// maxSteps bounds the work on a file, and with it the objects it makes.
const maxSteps = 4 << 20

func newMachine(src *source) *machine {
	return &machine{src: src, steps: maxSteps, persistent: func(value) (value, error) {
		return nil, errors.New("a persistent id where none may be")
	}}
}

// load reads one pickle up to its end.
func (m *machine) load() (value, error) {
	m.stack, m.marks, m.memo = nil, nil, nil
	for ; m.steps > 0; m.steps-- {
		at := m.src.at
		op, err := m.src.byte()
		if err != nil {
			return nil, err
		}
		if op == opStop {
			if len(m.stack) != 1 || len(m.marks) > 0 {
				return nil, fmt.Errorf("the pickle ends at byte %d with %d values", at, len(m.stack))
			}
			return m.stack[0], nil
		}
		do := operations[op]
		if do == nil {
			return nil, fmt.Errorf("the pickle has opcode 0x%02x at byte %d, which no state dict needs; nothing of it was run", op, at)
		}
		if err := do(m); err != nil {
			return nil, fmt.Errorf("at byte %d of the file: %w", at, err)
		}
	}
	return nil, fmt.Errorf("the pickle has more than %d steps: it is no usual state dict", maxSteps)
}

var errStack = errors.New("the pickle takes a value where there is none")

func (m *machine) push(v value) error {
	m.stack = append(m.stack, v)
	return nil
}

// pop never takes what lies below the last mark.
func (m *machine) pop() (value, error) {
	if len(m.stack) == m.floor() {
		return nil, errStack
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

func (m *machine) top() (value, error) {
	if len(m.stack) == m.floor() {
		return nil, errStack
	}
	return m.stack[len(m.stack)-1], nil
}

func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

// popN returns the n values on top in the order in which they came; they are a copy.
func (m *machine) popN(n int) ([]value, error) {
	if len(m.stack)-m.floor() < n {
		return nil, errStack
	}
	values := append([]value(nil), m.stack[len(m.stack)-n:]...)
	m.stack = m.stack[:len(m.stack)-n]
	return values, nil
}

// popMark returns the values above the last mark, which goes with them.
func (m *machine) popMark() ([]value, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("the pickle has no mark where it needs one")
	}
	values, err := m.popN(len(m.stack) - m.floor())
	m.marks = m.marks[:len(m.marks)-1]
	return values, err
}

func (m *machine) tuple(n int) error {
	values, err := m.popN(n)
	if err != nil {
		return err
	}
	return m.push(tuple(values))
}

func (m *machine) put(width int) error {
	n, err := m.src.unsigned(width)
	if err != nil {
		return err
	}
	return m.remember(n)
}

func (m *machine) remember(n uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	// Python counts them, from 0 or, in Python 2, from 1.
	size := uint64(len(m.memo))
	switch {
	case n < size:
		m.memo[n] = v
	case n == size:
		m.memo = append(m.memo, v)
	case n == size+1:
		m.memo = append(m.memo, hole{}, v)
	default:
		return fmt.Errorf("the pickle remembers value %d after %d", n, size)
	}
	return nil
}

func (m *machine) get(width int) error {
	n, err := m.src.unsigned(width)
	if err != nil {
		return err
	}
	if n < uint64(len(m.memo)) {
		if _, isHole := m.memo[n].(hole); !isHole {
			return m.push(m.memo[n])
		}
	}
	return fmt.Errorf("the pickle asks for value %d before there is one", n)
}

// hole is where the memo has nothing.
type hole struct{}

// add puts values, which came one after the other, into what is on top of the stack.
func (m *machine) add(values []value) error {
	into, err := m.top()
	if err != nil {
		return err
	}
	switch into := into.(type) {
	case *list:
		into.items = append(into.items, values...)
	case opaque: // a set, or a list of a class of its own
	default:
		return fmt.Errorf("the pickle appends to %s", kindOf(into))
	}
	return nil
}

// set puts pairs of keys and values into what is on top of the stack.
func (m *machine) set(pairs []value) error {
	into, err := m.top()
	if err != nil {
		return err
	}
	if len(pairs)%2 != 0 {
		return errors.New("the pickle has a key without a value")
	}
	switch into := into.(type) {
	case *dict:
		for i := 0; i < len(pairs); i += 2 {
			into.items = append(into.items, item{pairs[i], pairs[i+1]})
		}
	case opaque:
	default:
		return fmt.Errorf("the pickle sets an item of %s", kindOf(into))
	}
	return nil
}
