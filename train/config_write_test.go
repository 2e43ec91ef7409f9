package train

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomise gives every key some value of its type.
func randomise(rng *rand.Rand, value reflect.Value) {
	switch value.Kind() {
	case reflect.Bool:
		value.SetBool(rng.IntN(2) == 0)
	case reflect.String:
		letters := []rune("abc '\"\\\n\t\x00\u0085é漢\U0001f600={}[]#")
		text := make([]rune, rng.IntN(8))
		for i := range text {
			text[i] = letters[rng.IntN(len(letters))]
		}
		value.SetString(string(text))
	case reflect.Int:
		value.SetInt(rng.Int64() - rng.Int64())
	case reflect.Uint64:
		value.SetUint(rng.Uint64() >> 1)
	case reflect.Float64:
		value.SetFloat(rng.NormFloat64() * []float64{0, 1e-300, 1e-10, 1, 1e20, 1e300}[rng.IntN(6)])
	case reflect.Map:
		value.Set(reflect.MakeMap(value.Type()))
		for range rng.IntN(4) {
			name, number := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
			randomise(rng, name)
			randomise(rng, number)
			value.SetMapIndex(name, number)
		}
	case reflect.Pointer:
		if rng.IntN(2) == 0 {
			value.Set(reflect.New(value.Type().Elem()))
			randomise(rng, value.Elem())
		}
	case reflect.Slice:
		if n := rng.IntN(4); n > 0 {
			value.Set(reflect.MakeSlice(value.Type(), n, n))
		}
		fallthrough
	case reflect.Array:
		for i := range value.Len() {
			randomise(rng, value.Index(i))
		}
	}
}

func TestTOMLRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var c Config
		c.Stage = make([]StageConfig, rng.IntN(4))
		eachKey(&c, func(_ string, value reflect.Value) { randomise(rng, value) })
		said := len(Keys())
		for i := range c.Stage {
			c.Stage[i].Arch = new(string) // a stage that says nothing is no stage
			eachStageKey(&c.Stage[i], func(_ string, value reflect.Value) {
				if !value.IsNil() {
					said++
				}
			})
		}
		if len(c.Stage) == 0 {
			c.Stage = nil
		}
		written, err := c.TOML()
		require.NoError(t, err)
		again, origins, err := Load(Sources{Path: "config.toml", File: written})
		require.NoError(t, err, "%s", written)
		// Every key was written, for two ways to say one thing both are there.
		require.Len(t, origins, said)
		require.Equal(t, c, again)
		require.Empty(t, Diff(c, again))
	}
}

func TestDiff(t *testing.T) {
	old := Default()
	require.Empty(t, Diff(old, Default()))

	new := Default()
	new.Train.LR = 0.05
	new.Train.Freeze = []string{"conv1_*"}
	new.Train.Rates = map[string]float64{"score_*": 10, "conv1_*": 0.1}
	new.Run.UI = "json"
	new.Augment.Scale = []float64{} // as good as nil
	changes := Diff(old, new)
	var lines []string
	var harmless []bool
	for _, c := range changes {
		lines, harmless = append(lines, c.String()), append(harmless, c.Harmless())
	}
	require.Equal(t, []string{
		"run.ui: 'json', was 'auto'",
		"train.lr: 0.05, was 0.01",
		"train.freeze: ['conv1_*'], was []",
		"train.rates: {'conv1_*' = 0.1, 'score_*' = 10.0}, was {}",
	}, lines)
	require.Equal(t, []bool{true, false, false, false}, harmless)

	// Nobody's table and an empty one are the same.
	new = Default()
	new.Train.Rates = nil
	require.Empty(t, Diff(old, new))
}

func TestHarmlessKeysAreKeys(t *testing.T) {
	for _, key := range harmless {
		require.Contains(t, Keys(), key)
	}
}
