package train

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Keys that hold a table, as train.rates does, have names in it that people choose.
// In a file they are TOML; elsewhere "name=value,name=value" stands for the whole
// table, and --set train.rates.NAME=value for one entry of it.

// assignTable fills a map, which is never nil: an empty table equals the default.
func assignTable(field reflect.Value, table map[string]any) error {
	filled := reflect.MakeMapWithSize(field.Type(), len(table))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if err := assignEntry(filled, name, table[name]); err != nil {
			return err
		}
	}
	field.Set(filled)
	return nil
}

// assignEntry puts one entry into a map.
func assignEntry(table reflect.Value, name string, value any) error {
	v := reflect.New(table.Type().Elem()).Elem()
	if err := assign(v, value); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	table.SetMapIndex(reflect.ValueOf(name), v)
	return nil
}

// addEntry puts one entry into a field, and leaves the map that the field had to
// whoever else has it.
func addEntry(field reflect.Value, name string, value any) error {
	table := reflect.MakeMapWithSize(field.Type(), field.Len()+1)
	for it := field.MapRange(); it.Next(); {
		table.SetMapIndex(it.Key(), it.Value())
	}
	if err := assignEntry(table, name, value); err != nil {
		return err
	}
	field.Set(table)
	return nil
}

// tableFromText reads "conv1_*=0.1,score_*=10".
func tableFromText(field reflect.Type, text string) (any, error) {
	table := map[string]any{}
	if text == "" {
		return table, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		if name = strings.TrimSpace(name); !ok {
			return nil, fmt.Errorf("expected name=value,name=value, found %s", describe(text))
		}
		if _, twice := table[name]; twice {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		v, err := fromText(field.Elem(), strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		table[name] = v
	}
	return table, nil
}

// entryOf takes "train.rates.conv1_*" apart: the key of a table, and a name in it,
// which may be quoted as in TOML.
func entryOf(dotted string) (key, name string, ok bool) {
	for key, value := range (&Config{}).values() {
		if value.Kind() != reflect.Map {
			continue
		}
		if name, ok := strings.CutPrefix(dotted, key+"."); ok {
			if len(name) >= 2 && (name[0] == '"' || name[0] == '\'') && name[len(name)-1] == name[0] {
				name = name[1 : len(name)-1]
			}
			return key, name, true
		}
	}
	return "", "", false
}

// tableOfVariable is the key of the table of which a variable in the environment
// would be an entry, if names in the environment could be anything.
func tableOfVariable(variable string) (key string, ok bool) {
	for key, value := range (&Config{}).values() {
		if value.Kind() == reflect.Map && strings.HasPrefix(variable, environmentName(key)+"_") {
			return key, true
		}
	}
	return "", false
}
