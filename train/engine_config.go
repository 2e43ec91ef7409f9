package train

import (
	"errors"
	"fmt"
	"time"

	"github.com/fcnx/fcnx/models"
)

// EngineConfig is what an Engine is made of.
type EngineConfig struct {
	Net        models.Config
	Preprocess models.Preprocess
	Train      TrainConfig
	Seed       uint64
	// Devices is how many devices of the backend share a batch; 0 is 1. A training batch
	// must be a multiple of it. Sums over a batch are added up in another order then, and
	// nothing else depends on it.
	Devices int
	// Now is the clock by which a step tells what reading its loss took. It must not
	// be nil.
	Now func() time.Time
	// Values are taken over where they have a variable; what they do not have
	// starts fresh. nil: everything does.
	Values Values
	// Resized says that evaluation shows the network images of another size than
	// their labels: its logits are then brought to the labels' size.
	Resized bool
	// Compiled is called after each compilation for a step, an evaluation or a prediction,
	// before what was compiled runs, and by the goroutine that compiled: beside steps too
	// ([Engine.CompileEval]). nil: nothing is.
	Compiled func()
	// LargePages is called with memory of the host, all zero, that a large variable is about to be
	// written to, by whatever goroutine makes variables: beside compilations too. nil: nothing is.
	LargePages func([]byte)
	// Winograd has 3x3 convolutions done by Winograd's algorithm ([models.Pass]).
	Winograd bool
	// Precision is what evaluation and prediction compute in, [Float32] or [BFloat16]; the
	// training step has its own, [TrainConfig].Precision. Empty is float32.
	Precision string
}

// Validate says what keeps an engine from being made, and takes no time: whoever
// makes engines one after the other learns at the beginning that the last one cannot be.
func (cfg EngineConfig) Validate() error {
	if cfg.Now == nil {
		return errors.New("an engine needs a clock: EngineConfig.Now")
	}
	if err := cfg.Net.Validate(); err != nil {
		return err
	}
	if err := cfg.Train.checkGroups(cfg.Net.Variables()); err != nil {
		return err
	}
	if n := len(cfg.Train.ClassWeights); n > 0 && n != cfg.Net.Classes {
		return fmt.Errorf("train.class_weights has %d numbers for %d classes", n, cfg.Net.Classes)
	}
	return nil
}
