package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// network is a trained network as a RUN or WEIGHTS argument names it.
type network struct {
	// config is a run's own, or has only [model], [preprocess] and augment.resize.
	config  train.Config
	isRun   bool
	classes []datasets.Class
	named   bool         // the classes' names are known, and not made up
	values  train.Values // the network's variables and nothing else
	// precision is what it is used in; empty: float32.
	precision string
	parts     []string     // nil: all; of an encoder's file, what it has
	step      string       // at which they were saved; empty where unknown
	source    string       // for messages: "runs/a (step 1200, the best)"
	origin    string       // of an imported file, what it was imported from
	foreign   *foreignFile // of a file of another program; else nil
	close     func() error
}

// Close closes the files behind the values.
func (n *network) Close() { _ = n.close() }

// networkFlags say which checkpoint of a run is meant, and what a file of weights is
// that does not say so itself.
type networkFlags struct {
	which string // best | last | "": the best, or where nothing was scored the last
	step  int64  // -1: not given

	arch, encoder, geometry string
	classes                 int
	sets                    []string

	// look is for who only looks: a part of a network will do, and a geometry that
	// nobody tells is the default one.
	look bool
}

const networkHelp = `
RUN is the directory of a run; its best checkpoint is used. WEIGHTS is a file of a whole network, or
hf:owner/repo@revision/file: what 'fcnx weights export' or 'fcnx weights import' wrote says itself what it is. Of a
pytorch-fcn .pth, a Chainer .npz or a .caffemodel names and shapes tell it; --geometry and --set preprocess.* say what
was not meant as assumed.`

func (f *networkFlags) registerCheckpoint(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.which, "which", "", "which checkpoint of a run: best or last")
	cmd.Flags().Int64Var(&f.step, "step", -1, "the checkpoint of step `N`")
}

func (f *networkFlags) register(cmd *cobra.Command) {
	f.registerCheckpoint(cmd)
	cmd.Flags().StringVar(&f.arch, "model", "", "of weights that do not say so: fcn32s, fcn16s or fcn8s, as `name`")
	cmd.Flags().StringVar(&f.encoder, "encoder", "", "likewise: vgg16, vgg16_bn, ..., as `name`")
	cmd.Flags().IntVar(&f.classes, "classes", 0, "likewise: how many classes, as `N`")
	cmd.Flags().StringVar(&f.geometry, "geometry", "", "likewise: same or paper, as `name`")
	cmd.Flags().StringArrayVar(&f.sets, "set", nil, "likewise: a key of [model] or [preprocess], or augment.resize; may be repeated")
}

// said lists the flags that describe a network.
func (f *networkFlags) said() []string {
	var flags []string
	for _, flag := range []struct {
		name string
		said bool
	}{
		{"--model", f.arch != ""}, {"--encoder", f.encoder != ""}, {"--classes", f.classes != 0},
		{"--geometry", f.geometry != ""}, {"--set", len(f.sets) > 0},
	} {
		if flag.said {
			flags = append(flags, flag.name)
		}
	}
	return flags
}

// openNetwork opens what arg names. warn is told of a damaged checkpoint that was
// passed over for an older one.
func openNetwork(ctx context.Context, arg string, flags networkFlags, warn func(string)) (*network, error) {
	if flags.which != "" && flags.which != "best" && flags.which != "last" {
		return nil, usageError(fmt.Errorf("--which %q: best or last", flags.which))
	}
	if flags.which != "" && flags.step >= 0 {
		return nil, usageError(errors.New("--which and --step are two ways to say one thing; give one of them"))
	}
	info, err := os.Stat(arg)
	if err != nil {
		return nil, dataError(fmt.Errorf("%s: no run or file of weights is there", arg))
	}
	if info.IsDir() {
		if said := flags.said(); len(said) > 0 {
			return nil, usageError(fmt.Errorf("the run %s says itself what it is; leave %s out", arg, strings.Join(said, ", ")))
		}
		n, err := openRunNetwork(arg, flags, warn)
		return n, dataError(err)
	}
	if flags.which != "" || flags.step >= 0 {
		return nil, usageError(fmt.Errorf("%s is a file of weights, and --which and --step choose between the checkpoints of a run", arg))
	}
	n, err := openFileNetwork(ctx, arg, flags, warn)
	return n, dataError(err)
}

// sources are the flags as a configuration reads them.
func (f *networkFlags) sources() train.Sources {
	s := train.Sources{Sets: f.sets}
	for _, flag := range []train.Flag{
		{Name: "model", Key: "model.arch", Value: f.arch}, {Name: "encoder", Key: "model.encoder", Value: f.encoder},
		{Name: "geometry", Key: "model.geometry", Value: f.geometry},
	} {
		if flag.Value != "" {
			s.Flags = append(s.Flags, flag)
		}
	}
	if f.classes != 0 {
		s.Flags = append(s.Flags, train.Flag{Name: "classes", Key: "model.classes", Value: strconv.Itoa(f.classes)})
	}
	return s
}

// above are the flags and, below them, keys that somebody else says. Sources has no place
// below its Flags, so all are Sets, and an error would say so; what the flags say is checked
// by [networkFlags.sources] before.
func (f *networkFlags) above(keys []string) train.Sources {
	s := f.sources()
	for _, flag := range s.Flags {
		keys = append(keys, flag.Key+"="+flag.Value)
	}
	return train.Sources{Sets: append(keys, s.Sets...)}
}

// parseClasses reads the names, of which there must be one a class.
func (n *network) parseClasses(path string, text []byte) (err error) {
	if n.classes, err = datasets.ParseClasses(text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(n.classes) != n.config.Model.Classes {
		return fmt.Errorf("%s names %d classes, and model.classes is %d", path, len(n.classes), n.config.Model.Classes)
	}
	return nil
}

// settings are how the network computes on a device: a run's as it did when it was trained.
func (n *network) settings(d train.DeviceConfig) train.DeviceConfig {
	if n.isRun {
		d.TF32, d.Deterministic = n.config.Device.TF32, n.config.Device.Deterministic
	}
	return d
}

// variables are those of the network, or of the parts that there are.
func (n *network) variables() []models.Variable {
	return partVariables(n.config.Network(), n.parts)
}

// partVariables are those of some parts of a network; nil means all.
func partVariables(net models.Config, parts []string) []models.Variable {
	vars := net.Variables()
	if parts == nil {
		return vars
	}
	return slices.DeleteFunc(vars, func(v models.Variable) bool { return !slices.Contains(parts, v.Part) })
}

// loadNetworkConfig reads a configuration of which the network counts.
func loadNetworkConfig(sources train.Sources) (train.Config, error) {
	config, err := loadModelConfig(sources)
	if err != nil {
		return config, err
	}
	for _, stage := range config.Stages() {
		if err := stage.Network().Validate(); err != nil {
			return config, err
		}
	}
	return config, nil
}

// loadModelConfig is the same for a part of a network, which may lack classes.
func loadModelConfig(sources train.Sources) (train.Config, error) {
	config, origins, err := train.Load(sources)
	if err != nil {
		return config, err
	}
	return config, origins.Explain(config.ValidateNetwork())
}

// variableInfos describes the variables of a network as files know them.
func variableInfos(net models.Config) []checkpoints.Info { return infosOf(net.Variables()) }

func infosOf(vars []models.Variable) []checkpoints.Info {
	var infos []checkpoints.Info
	for _, v := range vars {
		infos = append(infos, checkpoints.Info{Name: v.Path(), DType: "F32", Shape: v.Shape})
	}
	return infos
}
