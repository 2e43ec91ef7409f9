package pth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// stateEntries are what checkpoints call the entry with their state dict, the usual
// ones first. pytorch-fcn says model_state_dict.
var stateEntries = []string{"state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights"}

// search looks for the state dict of a checkpoint.
type search struct {
	steps int // items that may still be looked at: dicts can be each other's
}

const (
	maxLooks = 4 << 20
	maxDepth = 3 // of a state dict in dicts
)

var errTangled = errors.New("its dicts are too many or too tangled: it is no usual state dict")

// stateDict finds the state dict in what a file holds: the file's root where that has
// tensors, an entry of it otherwise. The entry's name is empty for the root.
func stateDict(root value) (entry string, d *dict, err error) {
	s := &search{maxLooks}
	d, isDict := root.(*dict)
	if !isDict {
		return "", nil, fmt.Errorf("the file holds %s, not a state dict: save net.state_dict()", kindOf(root))
	}
	path, d, err := s.find(d, 0)
	switch {
	case err != nil:
		return "", nil, err
	case d == nil:
		return "", nil, errors.New("the file holds a dict without a tensor in it, not a state dict: save net.state_dict()")
	}
	return strings.Join(path, "."), d, nil
}

// find returns nil where there is none.
func (s *search) find(d *dict, depth int) (path []string, found *dict, err error) {
	if depth > maxDepth {
		return nil, nil, nil
	}
	// A checkpoint can have tensors of its own, such as a loss, beside its state dict.
	for _, name := range stateEntries {
		inner, err := s.entry(d, name)
		if err != nil {
			return nil, nil, err
		}
		if inner == nil {
			continue
		}
		path, found, err := s.find(inner, depth+1)
		if err != nil || found != nil {
			return append([]string{name}, path...), found, err
		}
	}
	if has, err := s.hasTensors(d); err != nil || has {
		return nil, d, err
	}
	var names []string
	for key, v := range d.all() {
		inner, isDict := v.(*dict)
		name, isString := key.(string)
		if !isDict || !isString {
			continue
		}
		has, err := s.hasTensors(inner)
		if err != nil {
			return nil, nil, err
		}
		if has {
			found = inner
			names = append(names, name)
		}
	}
	if len(names) > 1 {
		slices.Sort(names)
		return nil, nil, fmt.Errorf("the file holds more than one state dict, and none is called state_dict: %.200q; save the one that is meant", names)
	}
	return names, found, nil
}

// entry is the dict of that name, or nil.
func (s *search) entry(d *dict, name string) (found *dict, err error) {
	for key, v := range d.all() {
		if s.steps--; s.steps < 0 {
			return nil, errTangled
		}
		if key == name {
			found, _ = v.(*dict)
		}
	}
	return found, nil
}

// hasTensors tells whether a tensor is among the dict's own values.
func (s *search) hasTensors(d *dict) (bool, error) {
	for key, v := range d.all() {
		if s.steps--; s.steps < 0 {
			return false, errTangled
		}
		_, isTensor := v.(*tensor)
		if _, isString := key.(string); isTensor && isString {
			return true, nil
		}
	}
	return false, nil
}
