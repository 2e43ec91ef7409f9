package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// initial is what model.init names, opened.
type initial struct {
	*network
	foreign *weights.Source // nil: a run, or a file that says itself what it is
	notes   []string        // for the events
}

// openInit opens it: a run, a file that says what it is, or a file of another program. A
// file that does not tell how its network saw pixels is taken for what the new run is,
// with a warning.
func openInit(ctx context.Context, target train.Config, warn func(string)) (*initial, error) {
	m := target.Model
	path, note, err := fetched(ctx, m.Init, warn)
	if err != nil {
		return nil, err
	}
	i := &initial{}
	if note != "" {
		i.notes = append(i.notes, note)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: no run or file of weights is there", path)
	}
	var meta map[string]string
	if !info.IsDir() {
		tensors, err := openTensors(ctx, path)
		if err != nil {
			return nil, err
		}
		if meta = weights.Metadata(tensors); meta[metaConfig] == "" {
			if err := i.takeForeign(tensors, target, warn); err != nil {
				return nil, errors.Join(err, tensors.Close())
			}
			return i, nil
		}
		if err := tensors.Close(); err != nil {
			return nil, err
		}
	}
	if m.InitPreprocess != "" {
		return nil, usageError(fmt.Errorf("%s says itself what it was trained with; leave model.init_preprocess out", path))
	}
	if info.IsDir() {
		i.network, err = openNetwork(ctx, path, networkFlags{step: -1}, warn)
	} else {
		i.network, err = openOwnFile(path, meta)
	}
	if err != nil {
		return nil, err
	}
	if m.InitOrder != "" && m.InitOrder != i.config.Preprocess.Order {
		i.config.Preprocess = train.PreprocessConfig(weights.Preprocess(i.config.Preprocess).Reversed())
		i.values = turned{i.values}
		i.notes = append(i.notes, "the input channels of conv1_1 are turned to "+m.InitOrder)
	}
	return i, nil
}

// takeForeign takes the tensors of a file of another program.
func (i *initial) takeForeign(tensors weights.Tensors, target train.Config, warn func(string)) (err error) {
	m, path := target.Model, tensors.Path()
	if i.foreign, err = recognised(tensors, m.InitPreprocess, m.InitOrder); err != nil {
		return err
	}
	i.network = &network{
		config: foreignConfig(i.foreign, target), parts: partsOf(i.foreign), source: path,
		values: weightsValues{i.foreign}, close: i.foreign.Close,
	}
	if doubt := i.foreign.Doubt(); doubt != "" {
		warn(doubt)
	}
	pixels := i.foreign.Pixels()
	if pixels.Why == "" {
		warn(fmt.Sprintf("%s does not say how its network saw pixels: taken for model.geometry = %q and [preprocess] as they are here", path, target.Model.Geometry))
		return nil
	}
	i.notes = append(i.notes, fmt.Sprintf("[preprocess] of %s: %s (%s)", path, orNumbers(pixels.Name), pixels.Why))
	return nil
}

// orNumbers is the name of a preprocessing that may have none.
func orNumbers(name string) string {
	if name == "" {
		return "its own"
	}
	return name
}

// settlePixels makes sure that the run shows its network what the weights were trained
// on: with channels swapped or another mean they would mean something else, and nobody
// would notice but by the result. Where free, nobody has said a key of [preprocess], and
// the run takes that of the weights.
func (i *initial) settlePixels(target *train.Config, free bool) error {
	theirs := i.config.Preprocess
	if samePixels(theirs, target.Preprocess) {
		return nil
	}
	changes := slices.DeleteFunc(train.Diff(i.config, *target), func(c train.Change) bool { return !strings.HasPrefix(c.Key, "preprocess.") })
	if free {
		target.Preprocess = theirs
		i.notes = append(i.notes, "[preprocess] is that of the weights: "+strings.Join(strings.Fields(strings.ReplaceAll(pixelLines(theirs), "\n", "; ")), " "))
		return nil
	}
	text := i.source + ": its network was trained on other pixels:"
	for _, c := range changes {
		text += fmt.Sprintf("\n  %s: %s in the source, %s here", c.Key, c.Old, c.New)
	}
	return errors.New(text + "\nset these keys as the source has them, or leave them out: " + pixelFlags(theirs))
}

// samePixels compares as closely as people write numbers down: the authors' own files
// say 104.00699 and 104.00698793.
func samePixels(a, b train.PreprocessConfig) bool {
	near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-6*max(math.Abs(x), math.Abs(y)) }
	same := a.Order == b.Order && near(a.Scale, b.Scale)
	for c := range a.Mean {
		same = same && near(a.Mean[c], b.Mean[c]) && near(a.Std[c], b.Std[c])
	}
	return same
}

// takeOver splits the variables of the new network in those that come from the source
// and those that start fresh.
func (i *initial) takeOver(target train.Config) (shared, fresh []models.Variable, err error) {
	parts := target.Model.InitParts
	for _, part := range parts {
		if i.parts != nil && !slices.Contains(i.parts, part) {
			return nil, nil, fmt.Errorf("%s has no fc6 and fc7 to take: model.init_parts = [%q] takes the encoder", i.source, models.PartEncoder)
		}
	}
	if len(parts) == 0 {
		parts = i.parts
	}
	from := i.config.Network()
	if len(parts) == 0 {
		shared, fresh, err = models.TakeOver(from, target.Network())
	} else {
		shared, fresh, err = models.Transfer(from, target.Network(), parts)
	}
	if err == nil {
		err = missingFrom(i.values, i.source, shared)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", i.source, err)
	}
	return shared, fresh, nil
}

// summary is the note that a run begins with.
func (i *initial) summary(shared, fresh []models.Variable) string {
	source := i.source
	if i.foreign != nil {
		source += " (" + sourceSummary(i.foreign) + ")"
	}
	return tookOver(source, shared, fresh)
}

// tookOver says what of a network comes from source, and what starts fresh.
func tookOver(source string, shared, fresh []models.Variable) string {
	text := fmt.Sprintf("took over %d of %d variables from %s", len(shared), len(shared)+len(fresh), source)
	if len(fresh) > 0 {
		text += "; fresh: " + strings.Join(variablePaths(fresh), ", ")
	}
	return text
}

// rows says of every tensor of the source what becomes of it in this run.
func (i *initial) rows(shared []models.Variable) []weights.Row {
	var rows []weights.Row
	if i.foreign != nil {
		rows = i.foreign.Rows()
	} else {
		for _, path := range i.values.Paths() {
			_, shape, _ := i.values.Find(path)
			rows = append(rows, weights.Row{Tensor: path, Shape: shape, Variable: path, As: shape})
		}
	}
	taken := variablePaths(shared)
	for k, row := range rows {
		if row.Variable != "" && !slices.Contains(taken, row.Variable) {
			rows[k] = weights.Row{Tensor: row.Tensor, Shape: row.Shape, Note: "left out: " + row.Variable + " is not taken over, or has no place here"}
		}
	}
	return rows
}

func variablePaths(vars []models.Variable) []string {
	paths := make([]string, len(vars))
	for i, v := range vars {
		paths[i] = v.Path()
	}
	return paths
}

// turned has the input channels of the first convolution in the other order.
type turned struct{ train.Values }

// Read implements [train.Values].
func (v turned) Read(path string, dst []byte) error {
	if err := v.Values.Read(path, dst); err != nil || path != "conv1_1/weight" {
		return err
	}
	// [kh,kw,in,out] of float32: blocks of in rows that are 4*out bytes long.
	_, shape, _ := v.Find(path)
	in, row := shape[2], 4*shape[3]
	for pixel := range slices.Chunk(dst, in*row) {
		reversed := slices.Clone(pixel)
		for k := range in {
			copy(reversed[k*row:], pixel[(in-1-k)*row:][:row])
		}
		copy(pixel, reversed)
	}
	return nil
}

// pixelsUnsaid tells whether no key of [preprocess] was said anywhere.
func pixelsUnsaid(sources train.Sources) bool {
	_, origins, err := train.Load(sources)
	for key := range origins {
		if strings.HasPrefix(key, "preprocess.") {
			return false
		}
	}
	return err == nil
}
