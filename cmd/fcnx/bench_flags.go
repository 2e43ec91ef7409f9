package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The parts of `fcnx bench`, as written behind --only, and the product that they are
// compared with.
const (
	partInference  = "inference"
	partTrain      = "train"
	partUpdate     = "update"
	partData       = "data"
	partEval       = "eval"
	partCheckpoint = "checkpoint"
	partDashboard  = "dashboard"

	partProduct = "product"
)

func benchParts() []string {
	return []string{partInference, partTrain, partUpdate, partData, partEval, partCheckpoint, partDashboard}
}

// benchOptions are the flags of `fcnx bench`.
type benchOptions struct {
	config         string
	sets           []string
	keys           []keyFlag
	only           []string
	sizes, batches []string
	rounds, steps  int
	out            string
	asJSON, server bool
}

func (o *benchOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&o.only, "only", nil, "time only these `parts`: "+strings.Join(benchParts(), ", "))
	flags.StringVar(&o.config, "config", "", "read the configuration from this TOML `file`")
	flags.StringArrayVar(&o.sets, "set", nil, "set a key, as in model.width=16; may be repeated")
	for _, f := range []struct{ name, key, usage string }{
		{"data", "data.spec", "load and score this `SPEC`; without it, drawn shapes"},
		{"model", "model.arch", "fcn32s, fcn16s or fcn8s, as `name`"},
		{"arch", "model.arch", "what --model was called here"},
		{"encoder", "model.encoder", "vgg11, vgg13, vgg16 or vgg19, also with _bn, as `name`"},
		{"width", "model.width", "channels of the first stage, as `N`"},
		{"head", "model.head", "channels of fc6 and fc7, as `N`"},
		{"classes", "model.classes", "number of classes, as `N`; without it, those of --data, or 21"},
		{"precision", "train.precision", "of the network's numbers, as `name`"},
		{"backend", "device.backend", "auto, cpu, cuda or go, as `name`"},
		{"devices", "device.devices", "share each batch among so many devices, as `N`"},
	} {
		flags.String(f.name, "", f.usage)
		o.keys = append(o.keys, keyFlag{f.name, f.key, flags.Lookup(f.name).Value})
	}
	flags.StringSliceVar(&o.sizes, "size", nil, "of the images of inference and steps, as `HxW`, or several; without it, what the recipe resizes or crops to, or 320x320")
	flags.StringSliceVar(&o.batches, "batch", nil, "images a step, as `N`, or several; without it, train.batch where it is said, or 1 for each device in each micro-batch")
	flags.IntVar(&o.rounds, "rounds", 5, "how often everything has its turn")
	flags.IntVar(&o.steps, "steps", 2, "how often inference and steps run in a turn")
	flags.StringVar(&o.out, "out", ".", "save checkpoints below this `directory`, and remove them again")
	flags.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	flags.BoolVar(&o.server, "server", false, "compile, and wait for lines \"MODE N\" on stdin, as in \"train 3\"")
	_ = flags.MarkHidden("arch") // it can only fail for a flag that is not there
}

// parts checks --only.
func (o *benchOptions) parts() ([]string, error) {
	if o.only == nil {
		if o.server {
			return []string{partInference, partTrain}, nil
		}
		return benchParts(), nil
	}
	there := strings.Join(benchParts(), ", ")
	if len(o.only) == 0 {
		return nil, fmt.Errorf("--only is empty: there are %s", there)
	}
	for _, part := range o.only {
		if !slices.Contains(benchParts(), part) {
			return nil, fmt.Errorf("--only %q: there are %s", part, there)
		}
	}
	return o.only, nil
}
