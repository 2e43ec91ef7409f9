package train

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/fcnx/fcnx/models"
)

// stages checks what only a run of several stages can have wrong, before its stages
// are looked at one by one.
func (k *checker) stages(c Config) {
	if len(c.Stage) == 0 {
		return
	}
	k.must(c.Train.Steps == 0, "train.steps", "each [[stage]] says its own steps or epochs; leave it out here")
	k.must(c.Train.Epochs == 0, "train.epochs", "each [[stage]] says its own steps or epochs; leave it out here")
	for i, s := range c.Stage {
		k.must(s.Arch != nil, stageKey(i, "arch"), "say which network: %s", strings.Join(archs, ", "))
		k.must(s.Steps != nil || s.Epochs != nil, stageKey(i, "steps"), "say how long this stage trains: steps = N or epochs = N")
		if s.Name != nil {
			bad := strings.ContainsFunc(*s.Name, func(r rune) bool { return !unicode.IsPrint(r) })
			k.must(!bad && *s.Name != "" && len(*s.Name) <= 60, stageKey(i, "name"), "%s is no name of up to 60 bytes", describe(*s.Name))
		}
	}
	// What every stage says itself has no effect in [model] or [train].
	said := map[string]int{}
	for i := range c.Stage {
		eachStageKey(&c.Stage[i], func(name string, value reflect.Value) {
			if !value.IsNil() {
				said[name]++
			}
		})
	}
	standard := Default()
	defaults, values := standard.values(), c.values()
	for _, name := range stageKeys() {
		base := baseKey(name)
		if base == "" || name == "steps" || name == "epochs" || said[name] < len(c.Stage) {
			continue
		}
		k.must(literal(values[base]) == literal(defaults[base]), base, "each [[stage]] says its own; leave it out here")
	}
}

// each checks the stages of a run one by one, and a run without stages as it is. An
// error about a key that the stage itself says names the stage; one that the stages
// share is told once.
func (k *checker) each(c Config, check func(k *checker, stage Config)) {
	for i, stage := range c.Stages() {
		var one checker
		check(&one, stage)
		for _, err := range one.errs {
			var key *KeyError
			if len(c.Stage) > 0 && errors.As(err, &key) {
				err = &KeyError{c.Stage[i].keyOf(i, key.Key), key.Origin, key.Err}
			}
			told := func(other error) bool { return other.Error() == err.Error() }
			if !slices.ContainsFunc(k.errs, told) {
				k.errs = append(k.errs, err)
			}
		}
	}
}

// keyOf is where the i-th stage has a key of [model] or [train] from: itself, or the
// run.
func (s StageConfig) keyOf(i int, base string) string {
	key := base
	eachStageKey(&s, func(name string, value reflect.Value) {
		if baseKey(name) == base && !value.IsNil() {
			key = stageKey(i, name)
		}
	})
	return key
}

// handOver checks that each stage can start from the weights of the one before. It is
// for stages in which nothing else is wrong.
func (k *checker) handOver(c Config) {
	if len(c.Stage) == 0 || len(k.errs) > 0 {
		return
	}
	stages := c.Stages()
	for i := 1; i < len(stages); i++ {
		from, to := stages[i-1].Network(), stages[i].Network()
		if to.Classes == 0 { // as many as the data has, in both
			from.Classes, to.Classes = 2, 2
		}
		_, _, err := models.TakeOver(from, to)
		var misfit *models.TakeOverError
		if errors.As(err, &misfit) {
			err = fmt.Errorf("cannot go on from stage %d: %s", i, strings.Join(misfit.Differ, "; "))
		}
		if err != nil {
			k.errs = append(k.errs, &KeyError{Key: stageKey(i, "arch"), Err: err})
		}
	}
}
