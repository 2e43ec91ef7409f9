package train

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// fileLimit bounds a configuration file. A recipe has two kilobytes.
const fileLimit = 1 << 20

// fileSettings reads a TOML file. Its origins are path:line:column.
func fileSettings(path string, data []byte) ([]setting, error) {
	if len(data) > fileLimit {
		return nil, fmt.Errorf("%s: %d bytes, where a configuration has at most %d", path, len(data), fileLimit)
	}
	document := map[string]any{}
	if err := toml.Unmarshal(data, &document); err != nil {
		return nil, tomlError(path, err)
	}
	places, err := positions(data)
	if err != nil {
		return nil, tomlError(path, err)
	}
	origin := func(key string) string {
		at, ok := places[key]
		if !ok && IsStageKey(key) {
			at = places[stageSection]
		}
		return fmt.Sprintf("%s:%d:%d", path, at.Line, at.Column)
	}

	known := (&Config{}).values()
	var settings []setting
	var errs []error
	for name, value := range document {
		section, isTable := value.(map[string]any)
		switch {
		case name == stageSection:
			staged, wrong := stageSettings(value, origin)
			settings, errs = append(settings, staged...), append(errs, wrong...)
			continue
		case !slices.Contains(sections(), name) && (isTable || nearest(name, []string{stageSection}) != ""):
			errs = append(errs, &KeyError{name, origin(name), errors.New("no such section" + didYouMean(nearest(name, append(sections(), stageSection))))})
			continue
		case !slices.Contains(sections(), name):
			errs = append(errs, noSuchKey(name, origin(name)))
			continue
		case !isTable:
			errs = append(errs, &KeyError{name, origin(name), fmt.Errorf("expected a section [%s], found %s", name, describe(value))})
			continue
		}
		for last, value := range section {
			key := name + "." + last
			if !known[key].IsValid() {
				errs = append(errs, noSuchKey(key, origin(key)))
				continue
			}
			settings = append(settings, setting{key: key, origin: origin(key), value: value})
		}
	}
	// Maps have no order; a file has.
	inFile := func(a, b string) int { return cmp.Or(places[a].Offset-places[b].Offset, strings.Compare(a, b)) }
	slices.SortFunc(settings, func(a, b setting) int { return inFile(a.key, b.key) })
	slices.SortFunc(errs, func(a, b error) int { return inFile(keyOf(a), keyOf(b)) })
	return settings, errors.Join(errs...)
}

func keyOf(err error) string {
	var key *KeyError
	if errors.As(err, &key) {
		return key.Key
	}
	return ""
}

// sections are the names before the dot.
func sections() []string {
	var names []string
	for _, key := range Keys() {
		if name, _, _ := strings.Cut(key, "."); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// positions finds where each key of a document, and each table on the way to it,
// is first written; the second table of an array a has its keys below a[2]. The
// document is known to be good TOML.
func positions(data []byte) (map[string]unstable.Position, error) {
	found := map[string]unstable.Position{}
	var p unstable.Parser
	p.Reset(data)
	// note adds the key of a node to those before it and returns their sum.
	note := func(prefix string, node *unstable.Node) string {
		for it := node.Key(); it.Next(); {
			part := it.Node()
			if prefix != "" {
				prefix += "."
			}
			prefix += string(part.Data)
			if _, again := found[prefix]; !again {
				found[prefix] = p.Shape(part.Raw).Start
			}
		}
		return prefix
	}
	begins := func(key string, node *unstable.Node) {
		if it := node.Key(); it.Next() {
			found[key] = p.Shape(it.Node().Raw).Start
		}
	}
	var keyValue func(prefix string, node *unstable.Node)
	keyValue = func(prefix string, node *unstable.Node) {
		key := note(prefix, node)
		if value := node.Value(); value.Kind == unstable.InlineTable {
			for it := value.Children(); it.Next(); {
				keyValue(key, it.Node())
			}
		}
	}

	table, arrays := "", map[string]int{}
	for p.NextExpression() {
		switch node := p.Expression(); node.Kind {
		case unstable.Table:
			table = note("", node)
			if name, rest, ok := strings.Cut(table, "."); ok && arrays[name] > 0 { // [a.b] is of the last [[a]]
				table = fmt.Sprintf("%s[%d].%s", name, arrays[name], rest)
				begins(table, node)
			}
		case unstable.ArrayTable:
			name := note("", node)
			arrays[name]++
			table = fmt.Sprintf("%s[%d]", name, arrays[name])
			begins(table, node)
		case unstable.KeyValue:
			keyValue(table, node)
		}
	}
	return found, p.Error()
}

// tomlError says where a file is no TOML.
func tomlError(path string, err error) error {
	text := strings.TrimPrefix(err.Error(), "toml: ")
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, column := decode.Position()
		return fmt.Errorf("%s:%d:%d: %s", path, line, column, text)
	}
	return fmt.Errorf("%s: %s", path, text)
}
