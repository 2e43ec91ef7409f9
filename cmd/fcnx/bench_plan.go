package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train"
)

// benchPlan is what is timed, and how often.
type benchPlan struct {
	config      train.Config
	parts       []string
	sizes       [][2]int // height, width
	batches     []int
	smallest    int // batch: one image for each device in each micro-batch
	rounds, per int
	out         string
	drawn       bool // the images are drawn, since nobody said others
}

// wants tells whether one of the parts is asked for.
func (p *benchPlan) wants(parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return slices.Contains(p.parts, part) })
}

// steps is how often a case runs in a turn.
func (p *benchPlan) steps(c *benchCase) int {
	if slices.Contains([]string{partInference, partTrain, partUpdate}, c.part) {
		return p.per
	}
	return 1
}

// plan resolves flags and configuration.
func (o *benchOptions) plan(cmd *cobra.Command, warn func(string)) (*benchPlan, error) {
	p := &benchPlan{rounds: o.rounds, per: o.steps, out: o.out}
	if o.rounds < 1 || o.steps < 1 {
		return nil, fmt.Errorf("--rounds %d and --steps %d: both at least 1", o.rounds, o.steps)
	}
	if o.server && (o.asJSON || cmd.Flags().Changed("rounds") || cmd.Flags().Changed("steps")) {
		return nil, errors.New("--server answers in JSON, and stdin says how often; leave --json, --rounds and --steps out")
	}
	if info, err := os.Stat(o.out); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--out %s: there is no such directory", o.out)
	}
	var err error
	if p.parts, err = o.parts(); err != nil {
		return nil, err
	}
	if err := o.load(cmd, p, warn); err != nil {
		return nil, err
	}
	if err := o.shapes(p); err != nil {
		return nil, err
	}
	if o.server && (len(p.sizes) > 1 || len(p.batches) > 1) {
		return nil, errors.New("--server is for one --size and one --batch, so that its memory is theirs")
	}
	return p, p.settle()
}

// load reads the configuration, of which the last stage is timed.
func (o *benchOptions) load(cmd *cobra.Command, p *benchPlan, warn func(string)) (err error) {
	sources := train.Sources{Path: o.config, Environ: os.Environ(), NotKeys: notKeys(), Flags: saidFlags(cmd, o.keys), Sets: o.sets}
	if o.config != "" {
		if sources.File, err = os.ReadFile(o.config); err != nil {
			return fmt.Errorf("--config: %w", err)
		}
	}
	config, origins, err := train.Load(sources)
	if err != nil {
		return err
	}
	// What a run needs and a bench does not.
	if len(config.Stage) == 0 && config.Train.Steps == 0 && config.Train.Epochs == 0 {
		config.Train.Steps = 1
	}
	if p.drawn = config.Data.Spec == ""; p.drawn {
		config.Data.Spec = "shapes"
	}
	// Where nobody said a batch it is the smallest; so it is until shapes looks at --batch.
	if p.smallest, err = config.SmallestBatch(); err != nil {
		return origins.Explain(err)
	}
	if _, said := origins["train.batch"]; !said || len(o.batches) > 0 {
		config.Train.Batch = p.smallest
		delete(origins, "train.batch")
	}
	if err := origins.Explain(config.Validate()); err != nil {
		return err
	}
	if stages := config.Stages(); len(stages) > 1 {
		warn(fmt.Sprintf("the recipe has %d stages; the last one, %s, is timed", len(stages), config.StageName(len(stages)-1)))
		config = stages[len(stages)-1]
	}
	p.config = config
	return nil
}

// shapes are the sizes and the batches.
func (o *benchOptions) shapes(p *benchPlan) error {
	sizes := o.sizes
	if len(sizes) == 0 {
		sizes = []string{"320x320"}
		if a := p.config.Augment; a.Crop != "" {
			sizes = []string{a.Crop}
		} else if a.Resize != "" {
			sizes = []string{a.Resize}
		}
	}
	for _, text := range sizes {
		h, w, err := train.ParseSize(text)
		if err != nil {
			return fmt.Errorf("--size: %w", err)
		}
		p.sizes = append(p.sizes, [2]int{h, w})
	}
	if len(o.batches) == 0 {
		p.batches = []int{p.config.Train.Batch}
	}
	for _, text := range o.batches {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1<<16 {
			return fmt.Errorf("--batch %q: 1 to %d images", text, 1<<16)
		}
		if err := checkShared(n, p.smallest); err != nil {
			return err
		}
		p.batches = append(p.batches, n)
	}
	p.config.Train.Batch = p.batches[0]
	return nil
}

// settle says what is loaded where nobody did, and how many classes there are.
func (p *benchPlan) settle() error {
	switch {
	case p.config.Model.Classes != 0:
	case p.drawn:
		p.config.Model.Classes = 21 // those of VOC, and of the paper
	default:
		source, err := datasets.Open(p.config.Data.Spec, datasets.Train)
		if err != nil {
			return specError(err)
		}
		p.config.Model.Classes = len(source.Classes())
	}
	if p.drawn {
		h, w := p.sizes[0][0], p.sizes[0][1]
		if p.config.Augment.Resize != "" || p.config.Augment.Crop != "" {
			h, w = 360, 480 // there is something to resize and to crop
		}
		const drawable = 7 // as many classes are drawn at most
		p.config.Data.Spec = fmt.Sprintf("shapes?n=64&val_n=%d&size=%dx%d&classes=%d",
			max(4, p.batches[0]), h, w, min(max(p.config.Model.Classes, 2), drawable))
		p.config.Data.ValSpec = ""
	}
	// Weights of classes are numbers that the loss is multiplied by, whatever they are.
	if p.config.Train.ClassBalance != "" {
		p.config.Train.ClassBalance, p.config.Train.ClassWeights = "", make([]float64, p.config.Model.Classes)
		for i := range p.config.Train.ClassWeights {
			p.config.Train.ClassWeights[i] = 1
		}
	}
	return p.config.Network().Validate()
}
