package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/control"
)

// trainOptions are the flags of `fcnx train`. Most are short for a key.
type trainOptions struct {
	config      string
	sets        []string
	resume      string
	allowChange bool
	keys        []keyFlag
}

// keyFlag is a flag that is short for --set key=value.
type keyFlag struct {
	name, key string
	value     fmt.Stringer
}

// saidFlags are those of them that were given.
func saidFlags(cmd *cobra.Command, keys []keyFlag) []train.Flag {
	var said []train.Flag
	for _, f := range keys {
		if cmd.Flags().Changed(f.name) {
			said = append(said, train.Flag{Name: f.name, Key: f.key, Value: f.value.String()})
		}
	}
	return said
}

// latest is the value of --resume without one.
const latest = "latest"

// notKeys are the variables in the environment that begin with FCNX_ and are no
// keys of the configuration.
func notKeys() []string {
	return []string{"FCNX_PLUGINS_DIR", "FCNX_CAMVID", "FCNX_TEST_BACKEND", trainerVariable}
}

func (o *trainOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.config, "config", "", "read the configuration from this TOML `file`")
	flags.StringArrayVar(&o.sets, "set", nil, "set a key, as in train.lr=0.02; may be repeated")
	for _, f := range []struct{ name, key, usage string }{
		{"data", "data.spec", "learn from this `SPEC`: shapes, folder:DIR, camvid:DIR, voc:DIR"},
		{"model", "model.arch", "fcn32s, fcn16s or fcn8s, as `name`"},
		{"encoder", "model.encoder", "vgg11, vgg13, vgg16 or vgg19, also with _bn, as `name`"},
		{"init", "model.init", "start from the weights of this `file or run`"},
		{"steps", "train.steps", "updates in the whole run, as `N`"},
		{"epochs", "train.epochs", "passes over the training set, as `N`"},
		{"batch", "train.batch", "images a step, as `N`; auto: as many as there is memory for, or auto:6GB"},
		{"lr", "train.lr", "learning rate, as `X`"},
		{"seed", "run.seed", "of weights, order, augmentation and dropout, as `N`"},
		{"backend", "device.backend", "auto, cpu, cuda or go, as `name`"},
		{"devices", "device.devices", "how many devices, as `N`"},
		{"out", "run.out", "make the run's directory below this `directory`"},
		{"name", "run.name", "call it so; without it, by data and model, as `name`"},
		{"ui", "run.ui", "auto, tui, plain, json or none, as `mode`"},
		{"metrics-addr", "run.metrics_addr", "serve /metrics to Prometheus at this `host:port`"},
		{"metrics-file", "run.metrics_file", "write the same to this `file` every few seconds"},
	} {
		flags.String(f.name, "", f.usage)
		o.keys = append(o.keys, keyFlag{f.name, f.key, flags.Lookup(f.name).Value})
	}
	flags.Bool("tensorboard", false, "write event files for TensorBoard into tb/ of the run's directory")
	o.keys = append(o.keys, keyFlag{"tensorboard", "run.tensorboard", flags.Lookup("tensorboard").Value})
	flags.Bool("debug-nan", false, "where a step gives NaN or Inf, name the layer in which it began (slower)")
	o.keys = append(o.keys, keyFlag{"debug-nan", "train.debug_nan", flags.Lookup("debug-nan").Value})
	flags.StringVar(&o.resume, "resume", "", "go on with the run that was stopped: the one that this command would have started, or --resume=`RUN`")
	flags.Lookup("resume").NoOptDefVal = latest
	flags.BoolVar(&o.allowChange, "allow-change", false, "with --resume, take changed settings and data as they are now")
}

// trainPlan is a run that is to be: its configuration, and what it goes on with.
type trainPlan struct {
	config  train.Config
	allowed bool             // changes of a resumed run are meant
	resumed *checkpoints.Run // nil: a new run
	stored  []byte           // its config.toml
	changes []train.Change
	// pixelsFree tells that no key of [preprocess] was said: they are the weights' then.
	pixelsFree bool
	initial    *initial     // what model.init names, once it is opened
	find       *batchToFind // nil: train.batch is what it is
	// watched is run.ui where it was said this time; how the run was watched before says
	// nothing of who watches now.
	watched string
	// listener hears what is asked from right before the lock was taken: whoever asks
	// looks at the lock first.
	listener *control.Listener
}

// plan resolves the configuration. A resumed run has the one it was started with:
// what is said now must agree, or change nothing that counts, or be allowed.
func (o *trainOptions) plan(cmd *cobra.Command, warn func(string)) (*trainPlan, error) {
	sources := train.Sources{Path: o.config, Environ: os.Environ(), NotKeys: notKeys(), Flags: saidFlags(cmd, o.keys), Sets: o.sets}
	find, err := takeAutoBatch(&sources)
	if err != nil {
		return nil, err
	}
	if o.config != "" {
		if sources.File, err = os.ReadFile(o.config); err != nil {
			return nil, fmt.Errorf("--config: %w", err)
		}
	}
	if o.resume != "" {
		var found []string
		if find != nil {
			found = []string{"train.batch"}
		}
		p, err := o.planResume(sources, warn, found...)
		if p != nil || err != nil {
			return p, err
		}
	} else if o.allowChange {
		return nil, errors.New("--allow-change is for --resume")
	}
	if find != nil {
		some, origins, err := train.Load(sources)
		if err != nil {
			return nil, err
		}
		smallest, err := some.SmallestBatch()
		if err != nil {
			return nil, origins.Explain(err)
		}
		sources.Flags = append(sources.Flags, train.Flag{Name: "batch", Key: "train.batch", Value: strconv.Itoa(smallest)}) // for the time being
	}
	config, err := validConfig(sources)
	if err != nil {
		return nil, err
	}
	return &trainPlan{config: config, find: find, watched: config.Run.UI, pixelsFree: pixelsUnsaid(sources)}, nil
}

func validConfig(sources train.Sources) (train.Config, error) {
	config, origins, err := train.Load(sources)
	if err != nil {
		return config, err
	}
	return config, origins.Explain(config.Validate())
}

// onceSaid is who hears what is odd about how the run learns: nobody where it only goes on
// as it began, because then it was said.
func (p *trainPlan) onceSaid(warn func(string)) func(string) {
	changed := slices.ContainsFunc(p.changes, func(c train.Change) bool { return strings.HasPrefix(c.Key, "train.") })
	if p.resumed == nil || changed {
		return warn
	}
	return func(string) {}
}

// close lets go of a resumed run that never came to be opened for writing.
func (p *trainPlan) close() {
	if p.resumed != nil {
		_ = p.resumed.Close()
	}
	if p.initial != nil {
		p.initial.Close()
	}
}

// ui is what shows the run. A process behind a dashboard has one already.
func (p *trainPlan) ui(here terminal) (string, error) {
	switch ui := p.watched; {
	case isTrainer():
		return "none", nil
	case ui == "tui" && !here.interactive():
		return "", errors.New("--ui tui needs a terminal on standard input and output, and TERM to say which; --ui plain writes lines anywhere")
	case ui == "auto" && here.auto():
		return "tui", nil
	case ui == "auto":
		return "plain", nil
	default:
		return ui, nil
	}
}
