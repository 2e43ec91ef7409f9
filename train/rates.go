package train

import (
	"fmt"
	"strconv"

	"github.com/fcnx/fcnx/models"
)

// Rate is a learning rate of SGD with all that gives it a meaning. On the sum of the
// loss over N labelled pixels a gradient is N times that on their mean, and with
// momentum m each gradient moves a weight 1/(1-m) times in the end: the authors' 1e-10
// on the sum, momentum 0.99, is 1.8e-5 on the mean of a VOC image and moves as far as
// 1.8e-3 without momentum.
type Rate struct {
	Loss     string  // mean | sum
	LR       float64 // before schedule and warm-up
	Momentum float64 // in [0, 1)
	Pixels   float64 // labelled pixels a step, all images of the batch together
}

// Rate is the rate of layers that have no other, on steps of that many labelled pixels.
func (t TrainConfig) Rate(pixels float64) Rate {
	return Rate{Loss: t.Loss, LR: t.LR, Momentum: t.Momentum, Pixels: pixels}
}

// Effective is the rate on the mean, without momentum, that moves weights as far in the
// long run: what can be compared between any two runs.
func (r Rate) Effective() float64 { return r.mean() / (1 - r.Momentum) }

func (r Rate) mean() float64 {
	if r.Loss == "sum" {
		return r.LR * r.Pixels
	}
	return r.LR
}

// On is the rate on that loss and with that momentum which has the same effect.
func (r Rate) On(loss string, momentum float64) Rate {
	lr := r.Effective() * (1 - momentum)
	if loss == "sum" {
		lr /= r.Pixels
	}
	return Rate{Loss: loss, LR: lr, Momentum: momentum, Pixels: r.Pixels}
}

// Decay is the weight decay on that loss which pulls as hard, beside the rate of On, as
// decay does beside r. A decay is added to the gradient, so the larger the gradient the
// less it counts.
func (r Rate) Decay(decay float64, loss string) float64 {
	switch {
	case r.Loss == loss:
		return decay
	case loss == "sum":
		return decay * r.Pixels
	}
	return decay / r.Pixels
}

// String says what the rate is on the mean, and with its momentum.
func (r Rate) String() string {
	text := "lr " + figure(r.LR)
	if r.Loss == "sum" {
		text += fmt.Sprintf(" on the sum over about %s labelled pixels a step is %s on their mean", figure(r.Pixels), roughly(r.mean()))
	} else {
		text += " on the mean"
	}
	if r.Momentum > 0 {
		text += fmt.Sprintf(", %s with momentum %s", roughly(r.Effective()), figure(r.Momentum))
	}
	return text
}

// roughly writes a rate with the two digits that a rate is chosen by.
func roughly(x float64) string {
	if x >= 100 && x < 1e7 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 2, 64)
}

// The effective rates between which a run makes sense. At 100 tiny nets of both kinds,
// with batch norm and without, had NaN within 12 steps, with momentum 0.99 and with none;
// at 10 those without momentum had; at 1 a net with batch norm learns well.
const (
	boldRate     = 2.0
	hopelessRate = 100.0
	// idleRate changes no float32 weight that matters in a hundred thousand steps.
	idleRate = 1e-8
	// tuningRate is as slow as only weights that have been trained before can learn.
	tuningRate = 0.01
)

// Judge says what is doubtful about the learning rate of a network with those variables,
// on steps of that many labelled pixels; fresh says that no weights are taken over. Its
// error, a [*KeyError], is for a rate on the sum at which training cannot but diverge. A
// rate on the mean is never refused: it is what it says.
//
// Clipping bounds a step whatever the rate, and AdamW is blind to the scale of the loss:
// no rate is too high then.
func (t TrainConfig) Judge(vars []models.Variable, pixels float64, fresh bool) (warnings []string, err error) {
	all := t.fastest(vars, pixels, func(models.Variable) bool { return true })
	// Score layers alone are a convex problem, which swings and does not burst.
	deep := t.fastest(vars, pixels, func(v models.Variable) bool { return v.Part == models.PartEncoder || v.Part == models.PartHead })
	sgd := t.Optimizer == "sgd"
	bounded := t.Clip > 0 || !sgd
	switch {
	case !bounded && t.Loss == "sum" && deep.Effective() >= hopelessRate:
		return nil, &KeyError{Key: "train.lr", Err: fmt.Errorf("%s, and any network diverges there; the paper's rate on the sum is 1e-10, or set train.loss = \"mean\"", deep)}
	case !bounded && all.Effective() > boldRate:
		warnings = append(warnings, fmt.Sprintf("train.lr: %s; above 1 few networks do not diverge", all))
	case (t.Loss == "mean" || !sgd) && all.LR < idleRate:
		warnings = append(warnings, fmt.Sprintf("train.lr: %s learns nothing with train.loss = %q and train.optimizer = %q; the paper's 1e-10 is for the sum, with sgd", figure(all.LR), t.Loss, t.Optimizer))
	case sgd && t.Loss == "sum" && fresh && all.Effective() < tuningRate:
		warnings = append(warnings, fmt.Sprintf("train.lr: %s, too little for fresh weights; the paper's rates are for those that --init brings", all))
	}
	return warnings, nil
}

// fastest is the rate of the fastest weights that learn, of those that are among the
// chosen; 0 where none does. Biases are where their weights are.
func (t TrainConfig) fastest(vars []models.Variable, pixels float64, among func(models.Variable) bool) Rate {
	multiple := 0.0
	for _, v := range vars {
		if g := t.groupOf(v); !g.frozen && v.Role != models.Bias && among(v) {
			multiple = max(multiple, g.rate)
		}
	}
	r := t.Rate(pixels)
	r.LR *= multiple
	return r
}
