package train

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// StageConfig is one [[stage]] of a run that trains several networks one after the
// other, each on from the weights of the one before: the paper's FCN-32s, 16s, 8s.
// A key has the meaning, the units and the bounds of the key of that name in
// [ModelConfig] or [TrainConfig], and takes its place in this stage; nil means that
// the stage does not say it, and has what [model] and [train] say.
//
// What decides how samples are read, what the coarser network's variables are, or
// what they are scored on is the whole run's, and no key of a stage.
type StageConfig struct {
	Name *string `toml:"name"` // for people; not said: its arch

	Arch    *string  `toml:"arch"`
	AtOnce  *bool    `toml:"at_once"`
	Dropout *float64 `toml:"dropout"`

	Steps       *int      `toml:"steps"`  // of this stage; one of steps and epochs
	Epochs      *float64  `toml:"epochs"` // of this stage; one of steps and epochs
	LR          *float64  `toml:"lr"`
	Momentum    *float64  `toml:"momentum"`
	WeightDecay *float64  `toml:"weight_decay"`
	BiasLR      *float64  `toml:"bias_lr"`
	EncoderLR   *float64  `toml:"encoder_lr"`
	HeadLR      *float64  `toml:"head_lr"`
	Freeze      *[]string `toml:"freeze"`
	// Rates take the place of all those of the run, and are not added to them.
	Rates      *map[string]float64 `toml:"rates"`
	Schedule   *string             `toml:"schedule"` // over the steps of this stage, as warm-up is
	Power      *float64            `toml:"power"`
	Milestones *[]float64          `toml:"milestones"`
	StepFactor *float64            `toml:"step_factor"`
	Warmup     *int                `toml:"warmup"`
	Clip       *float64            `toml:"clip"`
}

const (
	// stageSection is what the tables of stages are called.
	stageSection = "stage"
	// maxStages is far more than anyone trains, and bounds the work of looking at them.
	maxStages = 64
)

// Stages are the stages of the run in their order, each as the configuration of a
// run of its own, without stages: what the stage says, and else what c says. How long
// it is only the stage says. A c
// without [[stage]] is its own only one.
func (c Config) Stages() []Config {
	if len(c.Stage) == 0 {
		return []Config{c}
	}
	stages := make([]Config, len(c.Stage))
	for i := range stages {
		stages[i] = c
		stages[i].Stage, stages[i].Train.Steps, stages[i].Train.Epochs = nil, 0, 0
		values := stages[i].values()
		eachStageKey(&c.Stage[i], func(name string, said reflect.Value) {
			if base := baseKey(name); base != "" && !said.IsNil() {
				values[base].Set(said.Elem())
			}
		})
	}
	return stages
}

// StageName is what people call the i-th stage, from 0: its name, or else its
// network. A run without [[stage]] has one, called by its network.
func (c Config) StageName(i int) string {
	if len(c.Stage) > 0 && c.Stage[i].Name != nil {
		return *c.Stage[i].Name
	}
	return c.Stages()[i].Model.Arch
}

// eachStageKey visits every key of a stage in order; value is a pointer, nil where
// the stage does not say the key, and can be set.
func eachStageKey(s *StageConfig, visit func(name string, value reflect.Value)) {
	fields := reflect.ValueOf(s).Elem()
	for i := range fields.NumField() {
		visit(fields.Type().Field(i).Tag.Get("toml"), fields.Field(i))
	}
}

// stageKeys are the keys that a [[stage]] may have.
func stageKeys() []string {
	var names []string
	eachStageKey(&StageConfig{}, func(name string, _ reflect.Value) { names = append(names, name) })
	return names
}

// baseKey is the key of [model] or [train] in whose place one of a stage is: lr is
// in that of train.lr. It is empty for name, which is nobody else's.
func baseKey(name string) string {
	for _, section := range []string{"model.", "train."} {
		if slices.Contains(Keys(), section+name) {
			return section + name
		}
	}
	return ""
}

// stageKey is a key of one stage as messages and [Origins] have it: stage[2].lr is
// that of the second.
func stageKey(i int, name string) string {
	return fmt.Sprintf("%s[%d].%s", stageSection, i+1, name)
}

// IsStageKey tells whether a key, of a [Change] say, is that of a stage.
func IsStageKey(key string) bool { return strings.HasPrefix(key, stageSection+"[") }

// stagesIn counts the stages of which settings are.
func stagesIn(settings []setting) int {
	most := 0
	for _, s := range settings {
		if !IsStageKey(s.key) {
			continue
		}
		number, _, _ := strings.Cut(s.key[len(stageSection)+1:], "]")
		if n, err := strconv.Atoi(number); err == nil {
			most = max(most, n)
		}
	}
	return most
}

// stageSettings reads the tables of a file.
func stageSettings(value any, origin func(key string) string) (settings []setting, errs []error) {
	tables, ok := value.([]any)
	if !ok || len(tables) == 0 {
		return nil, []error{&KeyError{stageSection, origin(stageSection), fmt.Errorf("expected tables [[%s]], in double brackets, found %s", stageSection, describe(value))}}
	}
	if len(tables) > maxStages {
		return nil, []error{&KeyError{stageSection, origin(stageSection), fmt.Errorf("%d of them; at most %d are allowed", len(tables), maxStages)}}
	}
	for i, value := range tables {
		whole := fmt.Sprintf("%s[%d]", stageSection, i+1)
		table, ok := value.(map[string]any)
		if !ok || len(table) == 0 {
			errs = append(errs, &KeyError{whole, origin(whole), errors.New("says nothing; a stage has arch, steps or epochs, and mostly lr")})
			continue
		}
		for name, value := range table {
			key := stageKey(i, name)
			if !slices.Contains(stageKeys(), name) {
				errs = append(errs, noSuchStageKey(key, name, origin(key)))
				continue
			}
			settings = append(settings, setting{key: key, origin: origin(key), value: value})
		}
	}
	return settings, errs
}

// noSuchStageKey is the error for a key that stages do not have. One that the run
// has is sent there.
func noSuchStageKey(key, name, origin string) error {
	if base := baseKey(name); base != "" {
		section, _, _ := strings.Cut(base, ".")
		return &KeyError{key, origin, fmt.Errorf("is the whole run's; say it in [%s]", section)}
	}
	return &KeyError{key, origin, errors.New("no such key" + didYouMean(nearest(name, stageKeys())))}
}
