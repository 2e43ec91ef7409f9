package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSchedule(t *testing.T) {
	tests := map[string]struct {
		config TrainConfig
		steps  int
		want   map[int]float64
	}{
		"constant": {
			TrainConfig{Schedule: "constant", LR: 0.1}, 10,
			map[int]float64{0: 0.1, 5: 0.1, 9: 0.1, 10: 0.1},
		},
		"poly": {
			TrainConfig{Schedule: "poly", LR: 0.01, Power: 0.9}, 100,
			// 0.5^0.9 = 0.535887, 0.01^0.9 = 0.0158489
			map[int]float64{0: 0.01, 50: 0.00535886731268146, 99: 0.000158489319246111, 100: 0, 1000: 0},
		},
		"poly of power 1 is a line": {
			TrainConfig{Schedule: "poly", LR: 1, Power: 1}, 8,
			map[int]float64{0: 1, 1: 0.875, 4: 0.5, 7: 0.125},
		},
		"cosine": {
			TrainConfig{Schedule: "cosine", LR: 2}, 12,
			map[int]float64{0: 2, 3: 1.70710678118655, 4: 1.5, 6: 1, 8: 0.5, 12: 0},
		},
		"step": {
			TrainConfig{Schedule: "step", LR: 1, Milestones: []float64{0.1, 0.6}, StepFactor: 0.1}, 30,
			map[int]float64{0: 1, 2: 1, 3: 0.1, 17: 0.1, 18: 0.01, 29: 0.01},
		},
		"warm-up starts at 1/n and meets the schedule at n": {
			TrainConfig{Schedule: "constant", LR: 1, Warmup: 4}, 10,
			map[int]float64{0: 0.25, 1: 0.5, 2: 0.75, 3: 1, 4: 1},
		},
		"warm-up does not shift poly": {
			TrainConfig{Schedule: "poly", LR: 1, Power: 1, Warmup: 2}, 10,
			map[int]float64{0: 0.5, 1: 0.9, 2: 0.8, 5: 0.5},
		},
		"warm-up longer than the run": {
			TrainConfig{Schedule: "constant", LR: 1, Warmup: 100}, 2,
			map[int]float64{0: 0.01, 1: 0.02},
		},
		"before the beginning": {
			TrainConfig{Schedule: "constant", LR: 1, Warmup: 2}, 2,
			map[int]float64{-5: 0.5},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			schedule, err := NewSchedule(test.config, test.steps)
			require.NoError(t, err)
			for step, want := range test.want {
				require.InDelta(t, want, schedule(step), 1e-14, "step %d", step)
			}
		})
	}
}

func TestScheduleErrors(t *testing.T) {
	_, err := NewSchedule(TrainConfig{Schedule: "poly"}, 0)
	require.EqualError(t, err, "a schedule over 0 steps")
	_, err = NewSchedule(TrainConfig{Schedule: "exponential"}, 10)
	require.EqualError(t, err, `no schedule "exponential"`)
}

// slowRates walks from step to step, as a loop with a scheduler object would, and
// computes each rate from what the step is rather than from one formula.
func slowRates(c TrainConfig, steps int) []float64 {
	var rates []float64
	factor := 1.0
	left := append([]float64(nil), c.Milestones...)
	for step := range steps {
		var rate float64
		switch c.Schedule {
		case "constant":
			rate = c.LR
		case "poly":
			rate = c.LR * math.Exp(c.Power*math.Log(float64(steps-step)/float64(steps)))
		case "cosine":
			half := math.Cos(math.Pi * float64(step) / float64(steps) / 2)
			rate = c.LR * half * half
		case "step":
			for len(left) > 0 && math.Abs(left[0]*float64(steps)-float64(step)) <= 0.5 && math.Round(left[0]*float64(steps)) <= float64(step) {
				factor *= c.StepFactor
				left = left[1:]
			}
			rate = c.LR * factor
		}
		if step+1 < c.Warmup {
			rate = rate / float64(c.Warmup) * float64(step+1)
		}
		rates = append(rates, rate)
	}
	return rates
}

func TestScheduleEqualsTheSlowTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		steps := 1 + rng.IntN(200)
		c := TrainConfig{
			Schedule:   []string{"constant", "poly", "cosine", "step"}[rng.IntN(4)],
			LR:         rng.Float64(),
			Power:      0.5 + rng.Float64(),
			Milestones: []float64{0.1 + 0.2*rng.Float64(), 0.5, 0.9},
			StepFactor: 0.1,
			Warmup:     rng.IntN(20),
		}
		schedule, err := NewSchedule(c, steps)
		require.NoError(t, err)
		for step, want := range slowRates(c, steps) {
			require.InDelta(t, want, schedule(step), 1e-12, "%+v at %d of %d", c, step, steps)
		}
	}
}
