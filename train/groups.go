package train

import (
	"fmt"
	"path"

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
// have rates of their own, and whatever Freeze names stays as it is.
func (t TrainConfig) groupOf(v models.Variable) group {
	g := group{rate: 1, decay: t.WeightDecay, frozen: !v.Learns() || t.frozen(v.Layer)}
	switch v.Part {
	case models.PartEncoder:
		g.rate *= t.EncoderLR
	case models.PartHead, models.PartScore:
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

// frozen tells whether one of the patterns in Freeze names the layer.
func (t TrainConfig) frozen(layer string) bool {
	for _, pattern := range t.Freeze {
		if ok, _ := path.Match(pattern, layer); ok {
			return true
		}
	}
	return false
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

// checkGroups refuses a pattern in Freeze that names no layer, and a run in which
// nothing would learn.
func (t TrainConfig) checkGroups(vars []models.Variable) error {
	for _, pattern := range t.Freeze {
		matched := false
		for _, v := range vars {
			ok, err := path.Match(pattern, v.Layer)
			if err != nil {
				return fmt.Errorf("train.freeze: %q is no pattern: %w", pattern, err)
			}
			matched = matched || ok
		}
		if !matched {
			return fmt.Errorf("train.freeze: %q names no layer of this network; they are called like conv1_1, bn1_1, fc6, score_fr and upscore8", pattern)
		}
	}
	for _, v := range vars {
		if !t.groupOf(v).frozen {
			return nil
		}
	}
	return fmt.Errorf("train.freeze and the rates leave nothing to learn")
}
