package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/models"
)

// param is one variable of an optimiser's test, with a state of its own that the
// slow twin keeps in float64.
type param struct {
	spec  models.Variable
	group group

	w, v, m1, m2 []float64
}

// slowStep is one step on one number a time, as PyTorch's documentation writes
// SGD and AdamW down. It returns the norm of all gradients before clipping.
func slowStep(cfg TrainConfig, params []*param, grads [][]float64, lr float64, step int) float64 {
	var squares float64
	for _, grad := range grads {
		for _, g := range grad {
			squares += g * g
		}
	}
	norm, factor := math.Sqrt(squares), 1.0
	if cfg.Clip > 0 && norm > cfg.Clip {
		factor = cfg.Clip / norm
	}
	for k, p := range params {
		for i, g := range grads[k] {
			g *= factor
			rate := lr * p.group.rate
			if cfg.Optimizer == "adamw" {
				p.m1[i] = 0.9*p.m1[i] + 0.1*g
				p.m2[i] = 0.999*p.m2[i] + 0.001*g*g
				m := p.m1[i] / (1 - math.Pow(0.9, float64(step)))
				v := p.m2[i] / (1 - math.Pow(0.999, float64(step)))
				p.w[i] -= rate*p.group.decay*p.w[i] + rate*m/(math.Sqrt(v)+1e-8)
				continue
			}
			g += p.group.decay * p.w[i]
			p.v[i] = cfg.Momentum*p.v[i] + g
			if cfg.Nesterov {
				g += cfg.Momentum * p.v[i]
			} else {
				g = p.v[i]
			}
			p.w[i] -= rate * g
		}
	}
	return norm
}

// Every kind of step agrees with its slow twin for eight steps, in which the rate
// and the gradients change, groups differ, and one variable does not learn.
func TestOptimizerAgainstSlowTwin(t *testing.T) {
	tests := map[string]TrainConfig{
		"plain":              {Optimizer: "sgd"},
		"momentum":           {Optimizer: "sgd", Momentum: 0.9},
		"nesterov":           {Optimizer: "sgd", Momentum: 0.9, Nesterov: true},
		"clipped momentum":   {Optimizer: "sgd", Momentum: 0.9, Clip: 1.5},
		"clipped not at all": {Optimizer: "sgd", Momentum: 0.9, Clip: 1000},
		"adamw":              {Optimizer: "adamw"},
		"clipped adamw":      {Optimizer: "adamw", Clip: 1.5},
	}
	for name, cfg := range tests {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			normal := func(n int) []float64 {
				values := make([]float64, n)
				for i := range values {
					values[i] = float64(float32(rng.NormFloat64()))
				}
				return values
			}
			params := []*param{
				{spec: models.Variable{Layer: "fc6", Name: "weight"}, group: group{rate: 1, decay: 0.05}, w: normal(5)},
				{spec: models.Variable{Layer: "fc6", Name: "bias"}, group: group{rate: 2}, w: normal(3)},
				{spec: models.Variable{Layer: "upscore", Name: "weight"}, group: group{rate: 0.1, decay: 0.5}, w: normal(4)},
			}
			for _, p := range params {
				p.spec.Shape = []int{len(p.w)}
				p.v, p.m1, p.m2 = make([]float64, len(p.w)), make([]float64, len(p.w)), make([]float64, len(p.w))
			}
			store := model.NewStore()
			// In the store's order, a frozen variable is between those that learn, and
			// these are not in the order of the learners.
			for _, k := range []int{2, -1, 0, 1} {
				path, w := "/frozen/weight", []float64{1, 2}
				if k >= 0 {
					path, w = "/"+params[k].spec.Path(), params[k].w
				}
				_, err := store.CreateVariable(path, tensors.FromFlatDataAndDimensions(float32s(w), len(w)))
				require.NoError(t, err)
			}
			exec, err := model.NewExec(onXLA(t), store, func(_ *model.Scope, in []*graph.Node) []*graph.Node {
				lr, frozen := in[len(params)], store.GetVariable("/frozen/weight").NodeValue(in[0].Graph())
				var learners []learner
				for k, p := range params {
					learners = append(learners, learner{store.GetVariable("/" + p.spec.Path()), p.spec, p.group, in[k]})
				}
				norm := update(store, cfg, learners, lr)
				require.Equal(t, cfg.Clip > 0, norm != nil)
				if norm == nil {
					norm = graph.ZerosLike(lr)
				}
				return []*graph.Node{norm, frozen}
			})
			require.NoError(t, err)

			for step := 1; step <= 8; step++ {
				lr := 0.1 / float64(step)
				var grads [][]float64
				var args []any
				for _, p := range params {
					grad := normal(len(p.w))
					grads = append(grads, grad)
					args = append(args, tensors.FromFlatDataAndDimensions(float32s(grad), len(grad)))
				}
				out, err := exec.Exec(append(args, tensors.FromScalar(float32(lr)))...)
				require.NoError(t, err)
				norm := slowStep(cfg, params, grads, lr, step)
				if cfg.Clip > 0 {
					require.InEpsilon(t, norm, tensors.ToScalar[float32](out[0]), 1e-6)
				}
				require.Equal(t, []float32{1, 2}, tensors.MustCopyFlatData[float32](out[1]))
				for _, p := range params {
					got := tensors.MustCopyFlatData[float32](store.GetVariable("/" + p.spec.Path()).MustValue())
					for i, w := range p.w {
						// Float32 rounds a number near one by 6e-8 at each of the eight steps.
						require.InDelta(t, w, got[i], 1e-6, "step %d, %s[%d]", step, p.spec.Path(), i)
					}
				}
			}
		})
	}
}

func float32s(values []float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}
