package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/fcnx/fcnx/checkpoints"
)

// makeForeign is the command of the scripts that gives the tensors of an fcnx file the
// names and shapes of another program's:
//
//	mkforeign WEIGHTS STYLE FROM
//
// FROM is an FCN-32s on vgg11 of width 2 and head 8. STYLE is torchvision, features (whose
// classifier is NaN), encoder (which has none), chainer, caffe, or garbage, of which one
// value is NaN. The container stays safetensors: how other ones are read is tested with
// their readers.
func makeForeign() {
	if len(os.Args) != 4 {
		fatal(fmt.Errorf("usage: mkforeign WEIGHTS STYLE FROM"))
	}
	if err := writeForeign(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fatal(err)
	}
}

var featuresOfVGG11 = map[string]string{
	"conv1_1": "features.0", "conv2_1": "features.3", "conv3_1": "features.6", "conv3_2": "features.8",
	"conv4_1": "features.11", "conv4_2": "features.13", "conv5_1": "features.16", "conv5_2": "features.18",
	"fc6": "classifier.0", "fc7": "classifier.3",
}

func writeForeign(path, style, from string) error {
	file, err := checkpoints.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	nan := bytes.Repeat(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN()))), 8*784)
	var list []checkpoints.Info
	raws := map[string][]byte{}
	add := func(name string, shape []int, raw []byte) {
		list = append(list, checkpoints.Info{Name: name, DType: "F32", Shape: shape})
		raws[name] = raw
	}
	for _, info := range file.Infos() {
		layer, param, _ := strings.Cut(info.Name, ".")
		raw, err := file.Read(info.Name)
		if err != nil {
			return err
		}
		shape := info.Shape
		flat := shape
		if len(shape) == 4 {
			flat = []int{shape[0], shape[1] * shape[2] * shape[3]}
		}
		connected := layer == "fc6" || layer == "fc7"
		switch style {
		case "chainer":
			add(layer+"/"+map[string]string{"weight": "W", "bias": "b"}[param], shape, raw)
		case "caffe":
			if connected && param == "weight" {
				shape = append([]int{1, 1}, flat...)
			} else if param == "bias" {
				shape = append([]int{1, 1, 1}, shape...)
			}
			add(layer+"/"+map[string]string{"weight": "0", "bias": "1"}[param], shape, raw)
		default:
			name, ok := featuresOfVGG11[layer]
			if !ok || connected && style == "encoder" {
				continue
			}
			if connected && style == "features" {
				raw = nan[:len(raw)]
			}
			if style == "garbage" && layer == "conv3_1" {
				copy(raw, nan[:4])
			}
			if connected {
				shape = flat
			}
			add(name+"."+param, shape, raw)
		}
	}
	if style == "torchvision" {
		add("classifier.6.weight", []int{5, 8}, make([]byte, 4*40))
		add("classifier.6.bias", []int{5}, make([]byte, 4*5))
	}
	_, err = checkpoints.WriteFile(path, list, nil, func(name string, w io.Writer) error {
		_, err := w.Write(raws[name])
		return err
	})
	return err
}
