package train

import (
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page that describes the keys has a row for each key, in order, with its
// default, and no other rows.
func TestConfigurationIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	var got [][2]string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\| `([^`]*)` \\| ").FindAllStringSubmatch(string(page), -1) {
		got = append(got, [2]string{row[1], row[2]})
	}
	var want [][2]string
	c := Default()
	eachKey(&c, func(key string, value reflect.Value) { want = append(want, [2]string{key, literal(value)}) })
	require.Equal(t, want, got)
}
