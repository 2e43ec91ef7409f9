package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// checkpointValues gives an engine all that a checkpoint holds, the optimiser's
// slots too: what a resumed run goes on from. The checkpoint stays open for as
// long as the engine may ask.
func checkpointValues(c *checkpoints.Checkpoint) train.Values { return fileValues{c.Variables} }

// fileValues are the tensors of a file in fcnx's own names and layout.
type fileValues struct{ file *checkpoints.File }

func (v fileValues) Paths() []string {
	infos := v.file.Infos()
	paths := make([]string, len(infos))
	for i, info := range infos {
		paths[i] = info.Name
	}
	return paths
}

func (v fileValues) Find(path string) (dtype string, shape []int, ok bool) {
	infos := v.file.Infos()
	i := slices.IndexFunc(infos, func(info checkpoints.Info) bool { return info.Name == path })
	if i < 0 {
		return "", nil, false
	}
	return infos[i].DType, infos[i].Shape, true
}

func (v fileValues) Read(path string, dst []byte) error { return v.file.ReadInto(path, dst) }

// onlyValues hides all variables but those listed: of a checkpoint, say, the
// optimiser's slots, which mean nothing to another run.
type onlyValues struct {
	train.Values
	vars []models.Variable
}

func (v onlyValues) Paths() []string {
	paths := make([]string, len(v.vars))
	for i, variable := range v.vars {
		paths[i] = variable.Path()
	}
	return paths
}

func (v onlyValues) Find(path string) (dtype string, shape []int, ok bool) {
	if !slices.ContainsFunc(v.vars, func(variable models.Variable) bool { return variable.Path() == path }) {
		return "", nil, false
	}
	return v.Values.Find(path)
}

// weightsValues are the tensors of an exchange file, turned into fcnx's layout as
// they are asked for, one at a time: a network of the paper's size has half a
// gigabyte of them.
type weightsValues struct {
	file interface {
		Infos() []checkpoints.Info
		Read(name string) ([]float32, error)
	}
}

func (v weightsValues) Paths() []string {
	var paths []string
	for _, info := range v.file.Infos() {
		paths = append(paths, info.Name)
	}
	return paths
}

func (v weightsValues) Find(path string) (dtype string, shape []int, ok bool) {
	for _, info := range v.file.Infos() {
		if info.Name == path {
			return info.DType, info.Shape, true
		}
	}
	return "", nil, false
}

func (v weightsValues) Read(path string, dst []byte) error {
	values, err := v.file.Read(path)
	if err != nil {
		return err
	}
	if len(dst) != 4*len(values) {
		return fmt.Errorf("%d bytes are wanted, and the file has %d numbers", len(dst), len(values))
	}
	for i, value := range values {
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(value))
	}
	return nil
}
