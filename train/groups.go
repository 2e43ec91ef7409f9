package train

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/fcnx/fcnx/models"
)

// group is how one variable learns.
type group struct {
	rate   float64 // multiple of the learning rate
	decay  float64 // weight decay, added to the gradient (SGD) or decoupled (AdamW)
	frozen bool
}

// groupOf gives v its place among the parameter groups of the authors' solvers:
// biases learn at BiasLR times the rate and do not decay, the encoder and the head
// have rates of their own, which Rates replaces where it names the layer, and whatever
// Freeze names stays as it is.
func (t TrainConfig) groupOf(v models.Variable) group {
	g := group{rate: 1, decay: t.WeightDecay, frozen: !v.Learns() || t.frozen(v.Layer)}
	patterns := t.ratesOf(v.Layer)
	switch {
	case len(patterns) > 0:
		g.rate *= t.Rates[patterns[0]] // there is no second one, see checkGroups
	case v.Part == models.PartEncoder:
		g.rate *= t.EncoderLR
	case v.Part == models.PartHead, v.Part == models.PartScore:
		g.rate *= t.HeadLR
	}
	if v.Role == models.Bias {
		g.rate *= t.BiasLR
	}
	if (v.Role == models.Bias || v.Role == models.NormWeight) && !t.BiasDecay {
		g.decay = 0
	}
	g.frozen = g.frozen || g.rate == 0
	return g
}

// ratesOf lists the patterns in Rates that name the layer.
func (t TrainConfig) ratesOf(layer string) []string {
	var patterns []string
	for _, pattern := range slices.Sorted(maps.Keys(t.Rates)) {
		if names(pattern, layer) {
			patterns = append(patterns, pattern)
		}
	}
	return patterns
}

// frozen tells whether one of the patterns in Freeze names the layer.
func (t TrainConfig) frozen(layer string) bool {
	return slices.ContainsFunc(t.Freeze, func(pattern string) bool { return names(pattern, layer) })
}

// names tells whether a pattern is of that layer. One that is no pattern is of none.
func names(pattern, layer string) bool {
	ok, err := path.Match(pattern, layer)
	return err == nil && ok
}

// frozenLayers tells which layers do not learn at all, be it by Freeze or by a
// rate of zero. A batch norm among them keeps its running averages too.
func (t TrainConfig) frozenLayers(vars []models.Variable) func(layer string) bool {
	learns := map[string]bool{}
	for _, v := range vars {
		if !t.groupOf(v).frozen {
			learns[v.Layer] = true
		}
	}
	return func(layer string) bool { return !learns[layer] }
}

// checkGroups refuses a pattern in Freeze or Rates that names no layer, a layer with
// two rates, a rate that nothing would learn at, and a run in which nothing would
// learn at all.
func (t TrainConfig) checkGroups(vars []models.Variable) error {
	all := layers(vars)
	for _, pattern := range t.Freeze {
		if _, err := named("train.freeze", pattern, all); err != nil {
			return err
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(t.Rates)) {
		found, err := named("train.rates", pattern, all)
		if err != nil {
			return err
		}
		for _, layer := range found {
			if two := t.ratesOf(layer); len(two) > 1 {
				return fmt.Errorf("train.rates: %q and %q both name %s, which can have one rate; a pattern like \"conv[3-5]_*\" names fewer layers", two[0], two[1], layer)
			}
		}
		if !slices.ContainsFunc(found, func(layer string) bool { return !t.frozen(layer) }) {
			return fmt.Errorf("train.rates: %q names only layers that train.freeze holds still", pattern)
		}
	}
	for _, v := range vars {
		if !t.groupOf(v).frozen {
			return nil
		}
	}
	return fmt.Errorf("train.freeze and the rates leave nothing to learn")
}

// named lists the layers that a pattern names, of which there must be one.
func named(key, pattern string, all []string) ([]string, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, fmt.Errorf("%s: %q is no pattern: %w", key, pattern, err)
	}
	var found []string
	for _, layer := range all {
		if names(pattern, layer) {
			found = append(found, layer)
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%s: %q names no layer of this network that has weights; they are %s", key, pattern, ranges(all, all))
	}
	return found, nil
}

// layers lists the layers of the variables in their order, each once.
func layers(vars []models.Variable) []string {
	var all []string
	for _, v := range vars {
		if !slices.Contains(all, v.Layer) {
			all = append(all, v.Layer)
		}
	}
	return all
}
