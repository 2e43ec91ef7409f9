package pth

import "iter"

// value is what the pickle machine computes with: nil for None, bool, int64, float64,
// string, bigInt, tuple, *list, *dict, *global, *storage, *tensor or opaque. A list
// or dict may contain itself.
type value any

// bigInt is an integer of more than 64 bits: its bytes, as they are in the file.
type bigInt string

type tuple []value

type list struct{ items []value }

// dict keeps its items as they came: nothing is copied, so that a file cannot make
// much out of little by naming the same list again and again.
type dict struct {
	pairs *list // the first of them, as Python 2 wrote an OrderedDict; nil for none
	items []item
}

// all are the items. Whoever looks for a key decides what twice means.
func (d *dict) all() iter.Seq2[value, value] {
	return func(yield func(key, v value) bool) {
		if d.pairs != nil {
			for _, p := range d.pairs.items {
				if pair, _ := sequence(p); len(pair) == 2 && !yield(pair[0], pair[1]) {
					return
				}
			}
		}
		for _, it := range d.items {
			if !yield(it.key, it.value) {
				return
			}
		}
	}
}

// sequence are the values of a tuple or list.
func sequence(v value) (values []value, isSequence bool) {
	switch v := v.(type) {
	case tuple:
		return v, true
	case *list:
		return v.items, true
	}
	return nil, false
}

type item struct{ key, value value }

// opaque is a value that a checkpoint may have and no tensor is made of, such as a
// set, an array of numpy, or a string too long for a name.
type opaque struct{}

// storage is what a persistent id stands for: the storage of that key, or, in files
// of the older kind, the part of it from first on.
type storage struct {
	key   string
	dtype string // of the class that the pickle names
	size  int64  // of the whole, in bytes
	first int64  // bytes
}

// tensor is what torch would rebuild of a storage. Where why is not empty it cannot
// be read, and nothing else of it holds.
type tensor struct {
	dtype   string
	storage *storage
	place   tuple  // first element behind the storage's first, sizes, strides: as they came
	why     string // goes on after the tensor's name
}

// kindOf is what an error calls a value. It never looks inside.
func kindOf(v value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64, bigInt, float64:
		return "a number"
	case string:
		return "a string"
	case tuple:
		return "a tuple"
	case *list:
		return "a list"
	case *dict:
		return "a dict"
	case *global:
		return v.name
	case *storage:
		return "a storage"
	case *tensor:
		return "a tensor"
	}
	return "an object"
}
