package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// makeRun is the command of the scripts that makes the directory of a run, without
// the seconds that training takes:
//
//	mkrun RUN key=value...
//
// The network is as small as the keys say, and its weights are chance; so its masks
// have several classes. There are checkpoints of step 1 and of step 2, the best.
func makeRun() {
	if len(os.Args) < 2 {
		fatal(fmt.Errorf("usage: mkrun RUN key=value..."))
	}
	if err := writeRun(os.Args[1], os.Args[2:]); err != nil {
		fatal(err)
	}
}

func writeRun(dir string, sets []string) error {
	config, _, err := train.Load(train.Sources{Sets: append([]string{
		"data.spec=shapes?n=4&val_n=3&size=64x64", "train.steps=2", "train.batch=2",
		"model.arch=fcn32s", "model.encoder=vgg11", "model.width=2", "model.head=8",
	}, sets...)})
	if err != nil {
		return err
	}
	source, err := datasets.Open(config.Data.Spec, datasets.Val)
	if err != nil {
		return err
	}
	config.Model.Classes = len(source.Classes())
	text, err := config.TOML()
	if err != nil {
		return err
	}
	run, err := checkpoints.Create(dir, text, time.Now())
	if err != nil {
		return err
	}
	defer run.Close()
	names, err := datasets.FormatClasses(source.Classes())
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, classesName), names, 0o666); err != nil {
		return err
	}
	manager, err := checkpoints.NewManager(run, 2, func(string) {})
	if err != nil {
		return err
	}
	vars := map[string]models.Variable{}
	for _, v := range config.Network().Variables() {
		vars[v.Path()] = v
	}
	for step := range int64(2) {
		meta := checkpoints.Meta{Step: step + 1, Time: time.Now(), Best: &checkpoints.Best{Step: step + 1, MeanIoU: 0.1}}
		// A slot of the optimiser, which is no one's business but a resumed run's.
		infos := append(variableInfos(config.Network()), checkpoints.Info{Name: "sgd/conv1_1/bias", DType: "F32", Shape: []int{1}})
		_, err := manager.Save(meta, infos, func(name string, w io.Writer) error {
			values := make([]float32, 1)
			if v, ok := vars[name]; ok {
				values = chance(v, uint64(step))
			}
			return binary.Write(w, binary.LittleEndian, values)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// chance are initial values, but for the layers that would start at zero.
func chance(v models.Variable, seed uint64) []float32 {
	values := make([]float32, v.Size())
	v.Initial(seed, values)
	if v.Part == models.PartScore {
		rng := rand.New(rand.NewPCG(seed, uint64(len(v.Path()))))
		for i := range values {
			values[i] = float32(rng.NormFloat64())
		}
	}
	return values
}

// damage is the command of the scripts that flips a bit in the middle of files.
func damage() {
	for _, path := range os.Args[1:] {
		raw, err := os.ReadFile(path)
		if err == nil {
			raw[len(raw)/2] ^= 1
			err = os.WriteFile(path, raw, 0o666)
		}
		if err != nil {
			fatal(err)
		}
	}
}

// makeWeights is the command of the scripts that makes a file of weights as PyTorch
// would, which says nothing of itself:
//
//	mkweights WEIGHTS FROM [LAYER.NAME=DIMxDIM...]
//
// It has the tensors of the file FROM. Those named have the given shape instead, or
// with an empty one are left out.
func makeWeights() {
	if len(os.Args) < 3 {
		fatal(fmt.Errorf("usage: mkweights WEIGHTS FROM [NAME=SHAPE...]"))
	}
	if err := writeWeights(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fatal(err)
	}
}

func writeWeights(path, from string, changes []string) error {
	file, err := checkpoints.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	infos := map[string]checkpoints.Info{}
	for _, info := range file.Infos() {
		infos[info.Name] = info
	}
	for _, change := range changes {
		name, shape, _ := strings.Cut(change, "=")
		delete(infos, name)
		if shape == "" {
			continue
		}
		info := checkpoints.Info{Name: name, DType: "F32"}
		for _, text := range strings.Split(shape, "x") {
			var d int
			if _, err := fmt.Sscan(text, &d); err != nil {
				return err
			}
			info.Shape = append(info.Shape, d)
		}
		infos[name] = info
	}
	var list []checkpoints.Info
	for _, info := range infos {
		list = append(list, info)
	}
	_, err = checkpoints.WriteFile(path, list, nil, func(name string, w io.Writer) error {
		size, err := infos[name].Size()
		if err != nil {
			return err
		}
		if raw, err := file.Read(name); err == nil && int64(len(raw)) == size {
			_, err = w.Write(raw)
			return err
		}
		return binary.Write(w, binary.LittleEndian, make([]float32, size/4))
	})
	return err
}
