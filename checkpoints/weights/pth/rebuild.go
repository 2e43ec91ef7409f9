package pth

import (
	"errors"
	"fmt"
)

// These are torch's functions that make tensors, as far as a file's index needs to
// know what they would make. No tensor is checked against its storage here; that is
// done once, for all of them, when the index is complete.

var errArguments = errors.New("its arguments are not what torch.save writes")

// newDict makes a dict of nothing or, as Python 2 wrote it, of a list of pairs.
func newDict(args tuple) (value, error) {
	if len(args) == 0 {
		return &dict{}, nil
	}
	pairs, isList := args[0].(*list)
	if !isList || len(args) > 1 {
		return nil, errArguments
	}
	return &dict{pairs: pairs}, nil
}

// newSize is torch.Size(dimensions), which is a tuple to everybody.
func newSize(args tuple) (value, error) {
	if len(args) == 1 {
		if dims, isSequence := sequence(args[0]); isSequence {
			return tuple(dims), nil
		}
	}
	return nil, errArguments
}

// rebuildTensor is _rebuild_tensor(storage, offset, size, stride), and v2 of it, with
// requires_grad, hooks and, where it has any, metadata after that.
func rebuildTensor(args tuple) (value, error) {
	if len(args) < 4 {
		return nil, errArguments
	}
	s, isStorage := args[0].(*storage)
	if !isStorage {
		return nil, errArguments
	}
	var metadata value
	if len(args) > 6 {
		metadata = args[6]
	}
	return newTensor(s, s.dtype, args[1:4:4], metadata)
}

// rebuildTyped is _rebuild_tensor_v3: as v2, with the dtype before the metadata. Its
// offset counts elements of that dtype.
func rebuildTyped(args tuple) (value, error) {
	if len(args) < 7 {
		return nil, errArguments
	}
	s, isStorage := args[0].(*storage)
	g, isGlobal := args[6].(*global)
	if !isStorage || !isGlobal {
		return nil, errArguments
	}
	dtype, isDType := dtypes[g.name]
	if !isDType {
		return nil, errArguments
	}
	var metadata value
	if len(args) > 7 {
		metadata = args[7]
	}
	if dtype == "" {
		return &tensor{why: fmt.Sprintf("is of dtype %s, which is not read", g.name)}, nil
	}
	return newTensor(s, dtype, args[1:4:4], metadata)
}

// newTensor makes a tensor of a place: an offset, sizes and strides.
func newTensor(s *storage, dtype string, place tuple, metadata value) (value, error) {
	if dtype == "" {
		return &tensor{why: "is of a dtype that is not read: complex of 128 bits, or quantised"}, nil
	}
	// Its one use is a view that is conjugated or negated when it is read.
	if m, isDict := metadata.(*dict); metadata != nil && (!isDict || len(m.items) > 0) {
		return &tensor{why: "is conjugated or negated lazily"}, nil
	}
	t := &tensor{dtype: dtype, storage: s, place: place}
	if !t.isPlaced() {
		return nil, errArguments
	}
	return t, nil
}

// isPlaced tells whether the place is an offset and two short tuples of numbers.
func (t *tensor) isPlaced() bool {
	_, isInt := t.place[0].(int64)
	for _, v := range t.place[1:] {
		values, isSequence := sequence(v)
		if !isSequence || len(values) > maxRank {
			return false
		}
		for _, v := range values {
			if _, isInt := v.(int64); !isInt {
				return false
			}
		}
	}
	return isInt
}

// integers are the numbers of a place's tuple.
func integers(v value) []int64 {
	values, _ := sequence(v)
	numbers := make([]int64, len(values))
	for i, v := range values {
		numbers[i], _ = v.(int64)
	}
	return numbers
}

// rebuildParameter is _rebuild_parameter(tensor, requires_grad, hooks), and that with
// attributes after them.
func rebuildParameter(args tuple) (value, error) {
	if len(args) == 0 {
		return nil, errArguments
	}
	if _, isTensor := args[0].(*tensor); !isTensor {
		return nil, errArguments
	}
	return args[0], nil
}

// rebuildFromType is _rebuild_from_type_v2(function, type, arguments, attributes).
func rebuildFromType(args tuple) (value, error) {
	if len(args) != 4 {
		return nil, errArguments
	}
	g, isGlobal := args[0].(*global)
	inner, isTuple := args[2].(tuple)
	// It is not called by itself: a file could make that go on for ever.
	if !isGlobal || !isTuple || g.call == nil || g.name == "torch._tensor._rebuild_from_type_v2" {
		return nil, errArguments
	}
	v, err := g.call(inner)
	if err != nil {
		return nil, err
	}
	if _, isTensor := v.(*tensor); !isTensor {
		return nil, errArguments
	}
	return v, nil
}

func cannotRead(why string) func(tuple) (value, error) {
	return func(tuple) (value, error) { return &tensor{why: why}, nil }
}
