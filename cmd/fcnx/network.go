package main

import (
	"context"
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
	parts   []string     // nil: all; of an encoder's file, what it has
	step    string       // at which they were saved; empty where unknown
	source  string       // for messages: "runs/a (step 1200, the best)"
	origin  string       // of an imported file, what it was imported from
	foreign *foreignFile // of a file of another program; else nil
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
	if stage := checkpoint.Meta.Stage; stage != nil {
		which += fmt.Sprintf(", stage %d of %d", stage.Index, len(n.config.Stages()))
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
	values := fileValues{file}
	if err := missingFrom(values, file.Path(), vars); err != nil {
		return err
	}
	for _, v := range vars {
		if dtype, _, _ := values.Find(v.Path()); dtype != "F32" {
			return fmt.Errorf("%s: %s is %s, and a network's variables are F32", file.Path(), v.Path(), dtype)
		}
	}
	return nil
}

// missingFrom is an error unless values has all variables, in their shapes.
func missingFrom(values train.Values, path string, vars []models.Variable) error {
	mismatch := &weights.MismatchError{Path: path}
	for _, v := range vars {
		switch _, shape, ok := values.Find(v.Path()); {
		case !ok:
			mismatch.Missing = append(mismatch.Missing, weights.Difference{Name: v.Path(), Network: v.Shape})
		case !slices.Equal(shape, v.Shape):
			mismatch.Misshapen = append(mismatch.Misshapen, weights.Difference{Name: v.Path(), File: shape, Network: v.Shape})
		}
	}
	if len(mismatch.Missing)+len(mismatch.Misshapen) > 0 {
		return mismatch
	}
	return nil
}

// openFileNetwork opens a file of the weights of a whole network.
func openFileNetwork(ctx context.Context, path string, flags networkFlags, warn func(string)) (*network, error) {
	meta, err := weightsMetadata(ctx, path)
	if err != nil {
		return nil, err
	}
	if meta[metaConfig] == "" {
		return openForeignNetwork(ctx, path, flags, warn)
	}
	geometry := flags.geometry
	if flags.look && meta[metaParts] != "" {
		flags.geometry = "" // which these files leave open
	}
	if said := flags.said(); len(said) > 0 {
		return nil, usageError(fmt.Errorf("%s says itself what it is; leave %s out", path, strings.Join(said, ", ")))
	}
	n, err := openOwnFile(ctx, path)
	if err != nil {
		return nil, err
	}
	switch {
	case n.parts == nil:
	case !flags.look:
		return nil, errors.Join(noWholeNetwork(path, n.parts), n.close())
	case geometry != "":
		n.config.Model.Geometry = geometry
		if err := n.config.ValidateNetwork(); err != nil {
			return nil, errors.Join(usageError(fmt.Errorf("--geometry: %w", err)), n.close())
		}
	}
	return n, nil
}

// noWholeNetwork is the error for an encoder where a network is wanted.
func noWholeNetwork(path string, parts []string) error {
	return fmt.Errorf("%s has the %s of a network and no score layers; fcnx train --init %s starts from it", path, strings.Join(parts, " and "), path)
}

// openOwnFile opens a file that says itself what it is, be it a whole network or not.
func openOwnFile(ctx context.Context, path string) (*network, error) {
	meta, err := weightsMetadata(ctx, path)
	if err != nil {
		return nil, err
	}
	n := &network{source: path, origin: meta[metaSource]}
	if err := n.readMetadata(path, meta); err != nil {
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
	if parts := meta[metaParts]; parts != "" {
		n.parts = strings.Split(parts, ",")
		known := slices.Equal(n.parts, []string{models.PartEncoder}) || slices.Equal(n.parts, []string{models.PartEncoder, models.PartHead})
		if !known {
			return fmt.Errorf("%s: %s is %.40q, which this version does not know", path, metaParts, parts)
		}
		n.config, err = loadModelConfig(sources)
		return err
	}
	if n.config, err = loadNetworkConfig(sources); err != nil {
		return err
	}
	n.classes = numbered(n.config.Model.Classes)
	if names, ok := meta[metaClasses]; ok {
		n.named = true
		if err := n.parseClasses(path+": "+metaClasses, []byte(names)); err != nil {
			return err
		}
	}
	if n.step = meta[metaStep]; n.step != "" {
		n.source = fmt.Sprintf("%s (step %.20s)", path, n.step)
	}
	return nil
}

// openForeignNetwork opens a file of another program: what its names and shapes do not
// tell, and what they tell wrongly, the flags say.
func openForeignNetwork(ctx context.Context, path string, flags networkFlags, warn func(string)) (*network, error) {
	for _, set := range flags.sets {
		key, _, _ := strings.Cut(set, "=")
		if !strings.HasPrefix(key, "model.") && !strings.HasPrefix(key, "preprocess.") && key != "augment.resize" {
			return nil, usageError(fmt.Errorf("--set %s: only keys of [model] and [preprocess], and augment.resize, say what weights are", set))
		}
	}
	asked, origins, err := train.Load(train.Sources{Sets: flags.keys()})
	if err == nil {
		err = origins.Explain(asked.ValidateNetwork())
	}
	if err != nil {
		return nil, usageError(err)
	}
	source, err := openForeign(ctx, path, asked.Model.InitPreprocess, asked.Model.InitOrder)
	if err != nil {
		return nil, err
	}
	n, err := foreignNetwork(source, flags, origins, warn)
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	n.origin = fmt.Sprintf("%s, %s", filepath.Base(path), sourceSummary(source))
	return n, nil
}

// keys are the flags as keys of the configuration.
func (f *networkFlags) keys() []string {
	var sets []string
	for _, flag := range []struct{ key, value string }{
		{"model.arch", f.arch}, {"model.encoder", f.encoder}, {"model.geometry", f.geometry},
	} {
		if flag.value != "" {
			sets = append(sets, flag.key+"="+flag.value)
		}
	}
	if f.classes != 0 {
		sets = append(sets, fmt.Sprintf("model.classes=%d", f.classes))
	}
	return append(sets, f.sets...)
}

// foreignNetwork makes a network of a foreign file. said are the keys that the flags say.
func foreignNetwork(source *weights.Source, flags networkFlags, said train.Origins, warn func(string)) (*network, error) {
	path := source.Path()
	if parts := partsOf(source); parts != nil {
		if flags.look {
			return foreignParts(source, parts, flags, said)
		}
		return nil, noWholeNetwork(path, parts)
	}
	_, geometrySaid := said["model.geometry"]
	switch {
	case source.Geometry() != "" || geometrySaid:
	case flags.look:
		warn(fmt.Sprintf("%s does not say in which geometry its network saw pixels; %s is assumed here, --geometry says another", path, train.Default().Model.Geometry))
	default:
		return nil, usageError(fmt.Errorf("%s does not say in which geometry its network saw pixels; add --geometry, and --set preprocess.* where it is not the default", path))
	}
	config, err := loadNetworkConfig(train.Sources{Sets: append(foreignKeys(foreignConfig(source, train.Default())), flags.keys()...)})
	if err != nil {
		return nil, usageError(err)
	}
	if err := source.Fits(variableInfos(config.Network())); err != nil {
		return nil, err
	}
	about := newForeignFile(source, said)
	switch pixels := source.Pixels(); {
	case about.pixels == "" && !flags.look:
		warn(fmt.Sprintf("%s does not tell what it was trained with, and [preprocess] is the default, which may be wrong; --set model.init_preprocess=NAME (%s) or --set preprocess.* says it",
			path, strings.Join(weights.PreprocessNames(), ", ")))
	case pixels.Why != "":
		warn(fmt.Sprintf("%s (%s) is taken for model.geometry = %q, model.at_once = %v and [preprocess] %s (%s); --geometry and --set say otherwise",
			path, sourceSummary(source), config.Model.Geometry, config.Model.AtOnce, orNumbers(pixels.Name), pixels.Why))
	}
	return &network{
		config: config, classes: numbered(config.Model.Classes), source: path, foreign: about,
		values: weightsValues{source}, close: source.Close,
	}, nil
}

// foreignParts is the same for an encoder, or encoder and head.
func foreignParts(source *weights.Source, parts []string, flags networkFlags, said train.Origins) (*network, error) {
	for _, key := range []string{"model.arch", "model.encoder", "model.classes"} {
		if _, ok := said[key]; ok {
			return nil, usageError(fmt.Errorf("%s has the %s of a network, and which network one makes of it is open; leave --model, --encoder and --classes out", source.Path(), strings.Join(parts, " and ")))
		}
	}
	config, err := loadModelConfig(train.Sources{Sets: append(foreignKeys(foreignConfig(source, train.Default())), flags.keys()...)})
	if err != nil {
		return nil, usageError(err)
	}
	return &network{
		config: config, parts: parts, source: source.Path(), foreign: newForeignFile(source, said),
		values: weightsValues{source}, close: source.Close,
	}, nil
}

// foreignKeys are what a foreign file tells, below whatever flags say.
func foreignKeys(c train.Config) []string {
	m, p := c.Model, c.Preprocess
	vector := func(v [3]float64) string { return fmt.Sprintf("%v,%v,%v", v[0], v[1], v[2]) }
	return []string{
		"model.arch=" + m.Arch, "model.encoder=" + m.Encoder, fmt.Sprintf("model.classes=%d", m.Classes),
		fmt.Sprintf("model.width=%d", m.Width), fmt.Sprintf("model.head=%d", m.Head),
		"model.upsample=" + m.Upsample, "model.geometry=" + m.Geometry, fmt.Sprintf("model.at_once=%v", m.AtOnce),
		"preprocess.order=" + p.Order, fmt.Sprintf("preprocess.scale=%v", p.Scale),
		"preprocess.mean=" + vector(p.Mean), "preprocess.std=" + vector(p.Std),
	}
}

// openWeights opens the file as the network that config says.
func (n *network) openWeights(path string) error {
	file, err := weights.Open(path, infosOf(n.variables()))
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
