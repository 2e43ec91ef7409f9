package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Sources are the places a configuration is read from, in rising order of
// precedence: the defaults, a TOML file, the environment, the command line.
type Sources struct {
	Path    string   // of the file, for messages
	File    []byte   // its content; empty when there is none
	Environ []string // NAME=value, as from os.Environ
	// NotKeys are names in the environment that begin with FCNX_ and are no keys.
	NotKeys []string
	Flags   []Flag   // those that are short for a --set
	Sets    []string // key=value, as behind --set; of the command line too, they count more than Flags
}

// Flag is a flag of the command line that stands for a key: --batch 8.
type Flag struct{ Name, Key, Value string }

// Load reads a configuration. Every key that is not one of [Keys] and every value
// that does not fit its key is an error, a [*KeyError] of several joined. Whether
// the values make sense is asked by [Config.Validate].
//
// Some keys are two ways to say one thing: train.steps and train.epochs, say. A
// source that gives one of them takes back the other where a source of lower
// precedence gave it, so that --steps 10 shortens a recipe that counts in epochs.
func Load(s Sources) (Config, Origins, error) {
	config, origins := Default(), Origins{}
	file, fileErr := fileSettings(s.Path, s.File)
	environment, environmentErr := environmentSettings(s.Environ, s.NotKeys)
	flags, flagsErr := flagSettings(s.Flags)
	sets, setsErr := setSettings(s.Sets)
	errs := []error{fileErr, environmentErr, flagsErr, setsErr}
	if n := stagesIn(file); n > 0 {
		config.Stage = make([]StageConfig, n)
	}
	for _, layer := range [][]setting{file, environment, append(flags, sets...)} {
		errs = append(errs, apply(&config, origins, layer))
	}
	if err := errors.Join(errs...); err != nil {
		return Config{}, nil, err
	}
	return config, origins, nil
}

// setting is one value from one source.
type setting struct {
	key    string
	origin string
	value  any    // as TOML has it: string, int64, float64, bool, []any, ...
	entry  string // the value is of this one entry of a table; "": of the key
}

// alternatives are the keys that say one thing in two ways.
var alternatives = [][2]string{
	{"train.steps", "train.epochs"},
	{"train.class_weights", "train.class_balance"},
	{"eval.every_steps", "eval.every_epochs"},
}

// apply puts the settings of one source into c.
func apply(c *Config, origins Origins, layer []setting) error {
	var errs []error
	values := c.values()
	mentioned := map[string]bool{}
	for _, s := range layer {
		set := func() error { return assign(values[s.key], s.value) }
		if s.entry != "" {
			set = func() error { return addEntry(values[s.key], s.entry, s.value) }
		}
		if err := set(); err != nil {
			errs = append(errs, &KeyError{s.key, s.origin, err})
			continue
		}
		origins[s.key] = s.origin
		mentioned[s.key] = true
	}
	for _, pair := range alternatives {
		for i, key := range pair {
			other := pair[1-i]
			if mentioned[key] && !values[key].IsZero() && !mentioned[other] {
				values[other].SetZero()
				delete(origins, other)
			}
		}
	}
	return errors.Join(errs...)
}

// environmentSettings reads FCNX_TRAIN_BATCH=8 and the like.
func environmentSettings(environ, notKeys []string) ([]setting, error) {
	keys := map[string]string{}
	for _, key := range Keys() {
		keys[environmentName(key)] = key
	}
	var settings []setting
	var errs []error
	for _, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, environmentPrefix) || slices.Contains(notKeys, name) {
			continue
		}
		key, ok := keys[name]
		if table, entry := tableOfVariable(name); entry && !ok {
			errs = append(errs, &KeyError{"", name, fmt.Errorf("no such key; the whole table is one variable: %s='conv1_*=0.1,score_*=10'", environmentName(table))})
			continue
		}
		if !ok {
			errs = append(errs, &KeyError{"", name, errors.New("no such key" + didYouMean(nearestVariables(name, notKeys)...))})
			continue
		}
		s, err := textSetting(key, name, text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		settings = append(settings, s)
	}
	return settings, errors.Join(errs...)
}

// nearestVariables is what may have been meant by a variable that is no key.
func nearestVariables(name string, notKeys []string) []string {
	if near := nearest(name, notKeys); near != "" {
		return []string{near}
	}
	key := strings.ToLower(strings.TrimPrefix(name, environmentPrefix))
	var names []string
	for _, near := range nearestKeys(strings.Replace(key, "_", ".", 1)) {
		names = append(names, environmentName(near))
	}
	return names
}

// flagSettings reads --batch 8 and the like.
func flagSettings(flags []Flag) ([]setting, error) {
	var settings []setting
	var errs []error
	for _, f := range flags {
		s, err := textSetting(f.Key, "--"+f.Name, strings.TrimSpace(f.Value))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		settings = append(settings, s)
	}
	return settings, errors.Join(errs...)
}

// setSettings reads train.batch=8 and the like.
func setSettings(sets []string) ([]setting, error) {
	known := (&Config{}).values()
	var settings []setting
	var errs []error
	for _, set := range sets {
		key, text, ok := strings.Cut(set, "=")
		key = strings.TrimSpace(key)
		table, entry, isEntry := entryOf(key)
		switch {
		case !ok:
			errs = append(errs, &KeyError{key, setOrigin, errors.New("no value; write --set key=value")})
			continue
		case IsStageKey(key):
			errs = append(errs, &KeyError{key, setOrigin, errors.New("stages are given in the file of --config only")})
			continue
		case !known[key].IsValid() && !isEntry:
			errs = append(errs, noSuchKey(key, setOrigin))
			continue
		}
		read := func() (setting, error) { return textSetting(key, setOrigin, strings.TrimSpace(text)) }
		if isEntry {
			read = func() (setting, error) { return entrySetting(table, entry, strings.TrimSpace(text)) }
		}
		s, err := read()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		settings = append(settings, s)
	}
	return settings, errors.Join(errs...)
}

// entrySetting is the setting of one entry of a table.
func entrySetting(key, entry, text string) (setting, error) {
	if entry == "" || !utf8.ValidString(entry+text) {
		return setting{}, &KeyError{key, setOrigin, errors.New("an entry wants a name, as in --set train.rates.conv1_*=0.1, and UTF-8")}
	}
	value, err := fromText((&Config{}).values()[key].Type().Elem(), text)
	if err != nil {
		return setting{}, &KeyError{key, setOrigin, fmt.Errorf("%q: %w", entry, err)}
	}
	return setting{key: key, origin: setOrigin, value: value, entry: entry}, nil
}

const setOrigin = "--set"

// textSetting is the setting of a known key to a value that is not TOML.
func textSetting(key, origin, text string) (setting, error) {
	if !utf8.ValidString(text) {
		return setting{}, &KeyError{key, origin, errors.New("the value is not UTF-8")}
	}
	value, err := fromText((&Config{}).values()[key].Type(), text)
	if err != nil {
		return setting{}, &KeyError{key, origin, err}
	}
	return setting{key: key, origin: origin, value: value}, nil
}
