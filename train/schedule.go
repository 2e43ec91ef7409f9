package train

import (
	"fmt"
	"math"
)

// Schedule gives the learning rate of a step, counted from 0. It is a pure
// function: a resumed run asks it for the step it goes on with.
type Schedule func(step int) float64

// NewSchedule returns the schedule of a run of steps steps. With t = step/steps it
// is lr times
//
//	constant  1
//	poly      (1 - t)^power
//	cosine    (1 + cos πt) / 2
//	step      step_factor for each of milestones that is reached
//
// Warm-up multiplies the first steps by 1/warmup, 2/warmup, ... 1. The schedule
// below it runs over the whole length of the run, so that warm-up shifts nothing.
// Beyond the end of the run the rate stays what it is there.
func NewSchedule(c TrainConfig, steps int) (Schedule, error) {
	if steps < 1 {
		return nil, fmt.Errorf("a schedule over %d steps", steps)
	}
	shape, err := c.shape(steps)
	if err != nil {
		return nil, err
	}
	return func(step int) float64 {
		step = min(max(step, 0), steps)
		rate := c.LR * shape(step)
		if step < c.Warmup {
			rate *= float64(step+1) / float64(c.Warmup)
		}
		return rate
	}, nil
}

// shape is the schedule without lr and warm-up, for steps from 0 to steps.
func (c TrainConfig) shape(steps int) (func(step int) float64, error) {
	share := func(step int) float64 { return float64(step) / float64(steps) }
	switch c.Schedule {
	case "constant":
		return func(int) float64 { return 1 }, nil
	case "poly":
		return func(step int) float64 { return math.Pow(1-share(step), c.Power) }, nil
	case "cosine":
		return func(step int) float64 { return (1 + math.Cos(math.Pi*share(step))) / 2 }, nil
	case "step":
		return func(step int) float64 {
			factor := 1.0
			for _, milestone := range c.Milestones {
				// Rounded, for 0.1 * 30 is a little more than 3.
				if step >= int(math.Round(milestone*float64(steps))) {
					factor *= c.StepFactor
				}
			}
			return factor
		}, nil
	}
	return nil, fmt.Errorf("no schedule %q", c.Schedule)
}
