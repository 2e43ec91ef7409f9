package caffe

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fcnx/fcnx/checkpoints"
)

// What a file may have at most, far above any network. Each keeps a small file of
// many small fields from growing in memory.
const (
	maxLayers  = 1 << 14
	maxTensors = 1 << 14
	maxPieces  = 1 << 16
	maxName    = 256 // bytes
)

// The fields of NetParameter that are read.
const (
	netLayersV1 protowire.Number = 2
	netLayers   protowire.Number = 100
)

// layerFields are the numbers of a layer's fields in one generation of the format; 0
// is none.
type layerFields struct {
	name, kind, blobs, transform, python, older protowire.Number
}

var (
	v1Layer = layerFields{name: 4, kind: 5, blobs: 6, transform: 36, older: 1} // V1LayerParameter
	v2Layer = layerFields{name: 1, kind: 2, blobs: 7, transform: 100, python: 130}
)

// net gathers what a NetParameter has.
type net struct {
	wire
	layers   int
	pieces   int
	tensors  []tensor
	types    map[string]string
	weighted map[string]bool // the layers that have blobs, by name
	mean     *mean
	last     string // the name of the layer before
}

// layer is one layer as it is read.
type layer struct {
	name, kind string
	blobs      []tensor // without names
	transform  mean
	python     mean
}

func (n *net) read() error {
	n.weighted = map[string]bool{}
	first := protowire.Number(0)
	err := n.each(span{0, n.size}, func(f field) error {
		var fields layerFields
		switch f.number {
		case netLayersV1:
			fields = v1Layer
		case netLayers:
			fields = v2Layer
		default:
			return nil
		}
		if first == 0 {
			first = f.number
		}
		if f.number != first {
			return damaged(f.start, "old and new layers in one network")
		}
		return n.layer(f, fields)
	})
	switch {
	case err != nil:
		return err
	case n.layers == 0:
		return errors.New("it has no layers: is it a file of Caffe's?")
	case len(n.tensors) == 0:
		return fmt.Errorf("none of its %d layers has weights", n.layers)
	}
	return nil
}

func (n *net) layer(f field, fields layerFields) error {
	if err := f.is(protowire.BytesType); err != nil {
		return err
	}
	if n.layers++; n.layers > maxLayers {
		return fmt.Errorf("it has more than %d layers", maxLayers)
	}
	l := layer{transform: mean{scale: 1}, python: mean{scale: 1}}
	err := n.each(f.span, func(f field) error { return n.layerField(&l, f, fields) })
	if err == nil {
		err = n.add(l)
	}
	if err != nil {
		return fmt.Errorf("layer %d %.80q: %w", n.layers, l.name, err)
	}
	return nil
}

func (n *net) layerField(l *layer, f field, fields layerFields) (err error) {
	switch f.number {
	case fields.name:
		l.name, err = n.text(f, maxName)
	case fields.kind:
		if fields != v1Layer {
			l.kind, err = n.text(f, maxName)
		} else if err = f.is(protowire.VarintType); err == nil {
			l.kind = v1Type(f.bits)
		}
	case fields.blobs:
		if len(n.tensors)+len(l.blobs) == maxTensors {
			return fmt.Errorf("more than %d blobs", maxTensors)
		}
		if err := f.is(protowire.BytesType); err != nil {
			return err
		}
		t, err := n.blob(f.span)
		if err != nil {
			return fmt.Errorf("blob %d: %w", len(l.blobs), err)
		}
		l.blobs = append(l.blobs, t)
	case fields.transform:
		err = n.transform(&l.transform, f)
	case fields.python:
		err = n.python(&l.python, f)
	case fields.older:
		return errors.New("it is of the first generation (V0): let Caffe's upgrade_net_proto_binary convert the file")
	}
	return err
}

// add takes a layer over into the net.
func (n *net) add(l layer) error {
	if len(l.blobs) > 0 {
		if l.name == "" {
			return errors.New("it has weights and no name")
		}
		if n.weighted[l.name] {
			return errors.New("a layer before has weights and the same name")
		}
		n.weighted[l.name] = true
	}
	for i, t := range l.blobs {
		t.Name = fmt.Sprintf("%s/%d", l.name, i)
		n.tensors = append(n.tensors, t)
	}
	// Layers that share a name are those of training and testing, such as "data".
	if _, known := n.types[l.name]; !known || len(l.blobs) > 0 {
		n.types[l.name] = l.kind
	}
	n.last = l.name
	for _, m := range []mean{l.transform, l.python} {
		if m.given && n.mean == nil {
			n.mean = &m
		}
	}
	return nil
}

// info describes a blob of count numbers, if that is what its shape wants.
func info(dtype string, shape []int, count, width int64) (checkpoints.Info, error) {
	i := checkpoints.Info{DType: dtype, Shape: shape}
	size, err := i.Size()
	if err != nil {
		return i, fmt.Errorf("its shape %.80s is too large", fmt.Sprint(shape))
	}
	if size != count*width {
		return i, fmt.Errorf("its shape %.80s wants %d numbers, and it has %d", fmt.Sprint(shape), size/width, count)
	}
	return i, nil
}
