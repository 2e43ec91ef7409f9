package train

import (
	"reflect"
	"strings"
)

// Keys lists every key of the configuration, "train.batch" say, in the order of
// [Config]. Those of stages are not among them: there are as many as a file has.
func Keys() []string {
	var keys []string
	eachKey(&Config{}, func(key string, _ reflect.Value) { keys = append(keys, key) })
	return keys
}

// eachKey visits every key of c in order, those of its stages last; value can be set.
func eachKey(c *Config, visit func(key string, value reflect.Value)) {
	sections := reflect.ValueOf(c).Elem()
	for i := range sections.NumField() {
		section := sections.Field(i)
		if section.Kind() != reflect.Struct {
			continue
		}
		name := sections.Type().Field(i).Tag.Get("toml")
		for j := range section.NumField() {
			visit(name+"."+section.Type().Field(j).Tag.Get("toml"), section.Field(j))
		}
	}
	for i := range c.Stage {
		eachStageKey(&c.Stage[i], func(name string, value reflect.Value) { visit(stageKey(i, name), value) })
	}
}

// values are the values of c by key.
func (c *Config) values() map[string]reflect.Value {
	values := map[string]reflect.Value{}
	eachKey(c, func(key string, value reflect.Value) { values[key] = value })
	return values
}

// environmentName is the key's name in the environment: FCNX_TRAIN_BATCH.
func environmentName(key string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

const environmentPrefix = "FCNX_"

// nearestKeys is what may have been meant by a key that there is not: one that is
// spelt nearly the same, or else those of other sections with the same last part.
func nearestKeys(key string) []string {
	last := key[strings.LastIndexByte(key, '.')+1:]
	if near := nearestWithin(slips(last), key, Keys()); near != "" {
		return []string{near}
	}
	var same []string
	for _, k := range Keys() {
		if strings.HasSuffix(k, "."+last) {
			same = append(same, k)
		}
	}
	return same
}

// nearest is the candidate that is spelt most like name, "" if none is like it.
func nearest(name string, candidates []string) string {
	return nearestWithin(slips(name), name, candidates)
}

// slips is how many slips of the finger a word may have and still be that word.
func slips(word string) int { return min(1+len(word)/5, 3) }

func nearestWithin(limit int, name string, candidates []string) string {
	best, found := limit+1, ""
	for _, candidate := range candidates {
		// A key of a hostile file may be as long as the file.
		if len(name) > len(candidate)+limit {
			continue
		}
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < best {
			best, found = d, candidate
		}
	}
	return found
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(replace, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
