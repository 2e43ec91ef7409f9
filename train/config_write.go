package train

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// TOML writes the whole configuration, defaults too, so that it does not depend on
// the defaults of the version that reads it. [Load] reads it back to the same
// configuration.
func (c Config) TOML() ([]byte, error) {
	data, err := toml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	return data, nil
}

// Change is one key whose value is another.
type Change struct {
	Key      string
	Old, New string // as in TOML
}

func (c Change) String() string {
	return fmt.Sprintf("%s: %s, was %s", c.Key, c.New, c.Old)
}

// harmless are the keys that say where, how fast and how watched a run is, and
// leave every weight as it would have been, or what happens to one that diverges.
var harmless = []string{
	"run.name", "run.out", "run.ui", "run.tensorboard", "run.metrics_addr", "run.metrics_file",
	"device.memory_fraction", "device.preallocate",
	"data.workers", "data.cache", "data.pack", "data.max_skipped",
	"train.debug_nan", "train.retries", "train.retry_lr",
	"eval.previews",
	"checkpoint.every_steps", "checkpoint.every_minutes", "checkpoint.keep",
	"checkpoint.background", "checkpoint.patience_minutes",
}

// Harmless tells whether a resumed run may take the change and still be the run
// that it was.
func (c Change) Harmless() bool { return slices.Contains(harmless, c.Key) }

// Diff lists the keys whose values differ, in the order of [Keys], those of stages
// last. A key that only one of them has is nothing in the other.
func Diff(old, new Config) []Change {
	var changes []Change
	olds, news := old.values(), new.values()
	compare := func(key string) {
		if was, is := literal(olds[key]), literal(news[key]); was != is {
			changes = append(changes, Change{key, was, is})
		}
	}
	eachKey(&old, func(key string, _ reflect.Value) { compare(key) })
	eachKey(&new, func(key string, _ reflect.Value) {
		if !olds[key].IsValid() {
			compare(key)
		}
	})
	return changes
}

// literal is a value as TOML writes it, on one line.
func literal(value reflect.Value) string {
	switch {
	case !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil():
		return "nothing"
	case value.Kind() == reflect.Map && value.Len() == 0:
		return "{}" // where there is none, too
	}
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).SetTablesInline(true).Encode(map[string]any{"value": value.Interface()}); err != nil {
		return fmt.Sprint(value.Interface())
	}
	return strings.TrimSpace(strings.TrimPrefix(text.String(), "value ="))
}
