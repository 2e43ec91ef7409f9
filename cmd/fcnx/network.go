package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights"
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
	step    string       // at which they were saved; empty where unknown
	source  string       // for messages: "runs/a (step 1200, the best)"
	close   func() error
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
}

const networkHelp = `
RUN is the directory of a run; its best checkpoint is used. WEIGHTS is a .safetensors file in PyTorch's layout: one that
'fcnx weights export' wrote says itself what it is, any other needs --model, --encoder, --classes, --geometry and, where
it differs from the defaults, --set model.* and --set preprocess.*.`

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
func openNetwork(arg string, flags networkFlags, warn func(string)) (*network, error) {
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
	n, err := openFileNetwork(arg, flags)
	return n, dataError(err)
}

// openRunNetwork opens a checkpoint of a run.
func openRunNetwork(dir string, flags networkFlags, warn func(string)) (*network, error) {
	run, err := checkpoints.OpenRun(dir)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(run.ConfigPath())
	if err != nil {
		return nil, err
	}
	n := &network{isRun: true, named: true}
	if n.config, err = loadNetworkConfig(train.Sources{Path: run.ConfigPath(), File: text}); err != nil {
		return nil, err
	}
	names := filepath.Join(dir, classesName)
	if text, err = os.ReadFile(names); err != nil {
		return nil, err
	}
	if err := n.parseClasses(names, text); err != nil {
		return nil, err
	}
	checkpoint, which, err := openCheckpoint(run, flags, warn)
	if err != nil {
		return nil, err
	}
	if n.config, err = atStage(n.config, checkpoint.Meta); err != nil {
		return nil, errors.Join(err, checkpoint.Close())
	}
	vars := n.config.Network().Variables()
	if err := fitsCheckpoint(checkpoint.Variables, vars); err != nil {
		return nil, errors.Join(err, checkpoint.Close())
	}
	n.values = onlyValues{checkpointValues(checkpoint), vars}
	n.step = fmt.Sprint(checkpoint.Meta.Step)
	n.source = fmt.Sprintf("%s (step %s%s)", dir, n.step, which)
	n.close = checkpoint.Close
	return n, nil
}

// openCheckpoint chooses a checkpoint, and says in words which it is.
func openCheckpoint(run *checkpoints.Run, flags networkFlags, warn func(string)) (*checkpoints.Checkpoint, string, error) {
	which := flags.which
	if which == "" {
		// A run that was never scored has no best checkpoint, and its last is meant.
		which = "last"
		if _, err := os.Stat(filepath.Join(run.Dir, "BEST")); err == nil {
			which = "best"
		}
	}
	var c *checkpoints.Checkpoint
	var err error
	switch {
	case flags.step >= 0:
		c, err = run.At(flags.step)
		return c, "", err
	case which == "best":
		c, err = run.Best(warn)
		if err != nil && flags.which == "" {
			warn(fmt.Sprintf("%v; the last one is taken", err))
			which = "last"
			c, err = run.Newest(warn)
		}
	default:
		c, err = run.Newest(warn)
	}
	return c, ", the " + which, err
}

// fitsCheckpoint is an error unless the file has all variables of the network. The
// optimiser's slots beside them are no one's business here.
func fitsCheckpoint(file *checkpoints.File, vars []models.Variable) error {
	mismatch := &weights.MismatchError{Path: file.Path()}
	values := fileValues{file}
	for _, v := range vars {
		switch dtype, shape, ok := values.Find(v.Path()); {
		case !ok:
			mismatch.Missing = append(mismatch.Missing, weights.Difference{Name: v.Path(), Network: v.Shape})
		case !slices.Equal(shape, v.Shape):
			mismatch.Misshapen = append(mismatch.Misshapen, weights.Difference{Name: v.Path(), File: shape, Network: v.Shape})
		case dtype != "F32":
			return fmt.Errorf("%s: %s is %s, and a network's variables are F32", file.Path(), v.Path(), dtype)
		}
	}
	if len(mismatch.Missing)+len(mismatch.Misshapen) > 0 {
		return mismatch
	}
	return nil
}

// openFileNetwork opens a file of weights.
func openFileNetwork(path string, flags networkFlags) (*network, error) {
	meta, err := weightsMetadata(path)
	if err != nil {
		return nil, err
	}
	n := &network{source: path}
	said := flags.said()
	switch {
	case meta[metaConfig] != "" && len(said) > 0:
		return nil, usageError(fmt.Errorf("%s says itself what it is; leave %s out", path, strings.Join(said, ", ")))
	case meta[metaConfig] != "":
		err = n.readMetadata(path, meta)
	default:
		err = usageError(n.readFlags(path, flags))
	}
	if err != nil {
		return nil, err
	}
	return n, n.openWeights(path)
}

// readMetadata takes what the file says of itself.
func (n *network) readMetadata(path string, meta map[string]string) (err error) {
	sources := train.Sources{Path: path + ": " + metaConfig, File: []byte(meta[metaConfig])}
	if resize := meta[metaResize]; resize != "" {
		sources.Sets = []string{"augment.resize=" + resize}
	}
	if n.config, err = loadNetworkConfig(sources); err != nil {
		return err
	}
	n.named = true
	if err := n.parseClasses(path+": "+metaClasses, []byte(meta[metaClasses])); err != nil {
		return err
	}
	if n.step = meta[metaStep]; n.step != "" {
		n.source = fmt.Sprintf("%s (step %.20s)", path, n.step)
	}
	return nil
}

// readFlags takes what the command line says of a file that says nothing.
func (n *network) readFlags(path string, flags networkFlags) (err error) {
	var missing []string
	for _, flag := range []string{"--model", "--encoder", "--classes", "--geometry"} {
		if !slices.Contains(flags.said(), flag) {
			missing = append(missing, flag)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s does not say what network it is of; add %s, and --set model.* and preprocess.* where they are not the defaults",
			path, strings.Join(missing, ", "))
	}
	sources := train.Sources{Sets: []string{
		"model.arch=" + flags.arch, "model.encoder=" + flags.encoder,
		fmt.Sprintf("model.classes=%d", flags.classes), "model.geometry=" + flags.geometry,
	}}
	for _, set := range flags.sets {
		key, _, _ := strings.Cut(set, "=")
		if !strings.HasPrefix(key, "model.") && !strings.HasPrefix(key, "preprocess.") && key != "augment.resize" {
			return fmt.Errorf("--set %s: only keys of [model] and [preprocess], and augment.resize, say what weights are", set)
		}
		sources.Sets = append(sources.Sets, set)
	}
	n.config, err = loadNetworkConfig(sources)
	n.classes = numbered(n.config.Model.Classes)
	return err
}

// openWeights opens the file as the network that config says.
func (n *network) openWeights(path string) error {
	file, err := weights.Open(path, variableInfos(n.config.Network()))
	if err != nil {
		return err
	}
	n.values, n.close = weightsValues{file}, file.Close
	return nil
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

// loadNetworkConfig reads a configuration of which the network counts.
func loadNetworkConfig(sources train.Sources) (train.Config, error) {
	config, origins, err := train.Load(sources)
	if err != nil {
		return config, err
	}
	if err := config.ValidateNetwork(); err != nil {
		return config, origins.Explain(err)
	}
	for _, stage := range config.Stages() {
		if err := stage.Network().Validate(); err != nil {
			return config, err
		}
	}
	return config, nil
}

// variableInfos describes the variables of a network as files know them.
func variableInfos(net models.Config) []checkpoints.Info {
	var infos []checkpoints.Info
	for _, v := range net.Variables() {
		infos = append(infos, checkpoints.Info{Name: v.Path(), DType: "F32", Shape: v.Shape})
	}
	return infos
}
