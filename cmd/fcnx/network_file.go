package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// openFileNetwork opens a file of the weights of a whole network.
func openFileNetwork(ctx context.Context, path string, flags networkFlags, warn func(string)) (*network, error) {
	tensors, err := openTensors(ctx, path)
	if err != nil {
		return nil, err
	}
	meta := weights.Metadata(tensors)
	if meta[metaConfig] == "" {
		n, err := openForeignNetwork(tensors, flags, warn)
		if err != nil {
			return nil, errors.Join(err, tensors.Close())
		}
		return n, nil
	}
	if err := tensors.Close(); err != nil {
		return nil, err
	}
	geometry := flags.geometry
	if flags.look && meta[metaParts] != "" {
		flags.geometry = "" // which these files leave open
	}
	if said := flags.said(); len(said) > 0 {
		return nil, usageError(fmt.Errorf("%s says itself what it is; leave %s out", path, strings.Join(said, ", ")))
	}
	n, err := openOwnFile(path, meta)
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

// openOwnFile opens a file that says itself, in meta, what it is, be it a whole network or
// not.
func openOwnFile(path string, meta map[string]string) (*network, error) {
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

// openForeignNetwork makes a network of a file of another program: what its names and
// shapes do not tell, and what they tell wrongly, the flags say. The file is the network's
// to close, unless there is an error.
func openForeignNetwork(tensors weights.Tensors, flags networkFlags, warn func(string)) (*network, error) {
	for _, set := range flags.sets {
		key, _, _ := strings.Cut(set, "=")
		if !strings.HasPrefix(key, "model.") && !strings.HasPrefix(key, "preprocess.") && key != "augment.resize" {
			return nil, usageError(fmt.Errorf("--set %s: only keys of [model] and [preprocess], and augment.resize, say what weights are", set))
		}
	}
	asked, origins, err := train.Load(flags.sources())
	if err == nil {
		err = origins.Explain(asked.ValidateNetwork())
	}
	if err != nil {
		return nil, usageError(err)
	}
	source, err := recognised(tensors, asked.Model.InitPreprocess, asked.Model.InitOrder)
	if err != nil {
		return nil, err
	}
	n, err := foreignNetwork(source, flags, origins, warn)
	if err != nil {
		return nil, err
	}
	n.origin = fmt.Sprintf("%s, %s", filepath.Base(tensors.Path()), sourceSummary(source))
	return n, nil
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
	config, err := loadNetworkConfig(flags.above(foreignKeys(foreignConfig(source, train.Default()))))
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
	config, err := loadModelConfig(flags.above(foreignKeys(foreignConfig(source, train.Default()))))
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
