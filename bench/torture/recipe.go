package main

import "fmt"

// recipe is the configuration of a run: nets with a few channels, for what is attacked
// is how a run is kept and not what it learns.
type recipe struct {
	kind    string // sgd | adamw | staged | large
	backend string
	seed    uint64 // run.seed
	steps   int
	// A checkpoint every so many steps, and an evaluation; 0: only the last.
	saveEvery, evalEvery int
	valN                 int // validation samples
	batch                int
	data                 string // empty: shapes
	// patience, in minutes, is how long saves may fail.
	patience int
	env      []string
}

// kinds are networks and optimisers that keep different things in a checkpoint:
// batch norm's averages and momentum; two moments; and one network after the other.
var kinds = []string{"sgd", "adamw", "staged"}

// ofEachKind is a recipe of 18 steps that are saved every third time.
func (b *bench) ofEachKind(backend string) func(i int) recipe {
	return func(i int) recipe {
		return recipe{kind: kinds[i%len(kinds)], backend: backend, seed: b.seed, steps: 18, saveEvery: 3, evalEvery: 7, valN: 4, batch: b.batch()}
	}
}

// batch is the number of samples in a step: in the short form fewer, for Go's backend is
// slow.
func (b *bench) batch() int {
	if b.short {
		return 2
	}
	return 4
}

// everyStep is a recipe that saves without pause.
func (b *bench) everyStep(backend string, steps int) func(i int) recipe {
	return func(i int) recipe {
		r := b.ofEachKind(backend)(i)
		r.steps, r.saveEvery = steps, 1
		return r
	}
}

// text is the configuration file. Dropout is on, as it is by default.
func (r recipe) text() string {
	data := r.data
	if data == "" {
		data = fmt.Sprintf("shapes?n=14&val_n=%d&size=32x32", r.valN)
	}
	text := fmt.Sprintf(`[run]
seed = %d
[device]
backend = %q
[data]
spec = %q
[eval]
every_steps = %d
previews = 2
[checkpoint]
every_steps = %d
patience_minutes = %d
`, r.seed, r.backend, data, r.evalEvery, r.saveEvery, r.patience)
	if r.data == "" {
		text += "[augment]\nflip = true\njitter = 0.2\nscale = [0.8, 1.25]\ncrop = \"32x32\"\n"
	} else {
		text += "[augment]\nflip = true\nresize = \"32x32\"\n"
	}
	switch r.kind {
	case "sgd":
		text += fmt.Sprintf("[model]\narch = \"fcn32s\"\nencoder = \"vgg11_bn\"\nwidth = 2\nhead = 4\n[train]\nsteps = %d\nbatch = %d\nwarmup = 3\n", r.steps, r.batch)
	case "large": // which takes XLA many seconds to compile
		text += fmt.Sprintf("[model]\narch = \"fcn8s\"\nencoder = \"vgg19_bn\"\nwidth = 2\nhead = 4\n[train]\nsteps = %d\nbatch = %d\n", r.steps, r.batch)
	case "adamw":
		text += fmt.Sprintf("[model]\narch = \"fcn16s\"\nencoder = \"vgg11\"\nwidth = 2\nhead = 4\n[train]\nsteps = %d\nbatch = %d\noptimizer = \"adamw\"\nlr = 0.003\nschedule = \"cosine\"\nclip = 1.0\n", r.steps, r.batch)
	case "staged":
		text += fmt.Sprintf("[model]\nencoder = \"vgg11\"\nwidth = 2\nhead = 4\n[train]\nbatch = %d\n[[stage]]\narch = \"fcn32s\"\nsteps = %d\n[[stage]]\narch = \"fcn16s\"\nsteps = %d\n", r.batch, r.steps/2, r.steps-r.steps/2)
	}
	return text
}
