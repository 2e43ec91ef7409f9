package checkpoints

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

func encodedMeta(t testing.TB, m Meta) []byte {
	m.Schema = Schema
	m.Variables = Variables{100, strings.Repeat("ab", 32)}
	text, err := encodeMeta(m)
	require.NoError(t, err)
	return text
}

func TestMetaText(t *testing.T) {
	m := testMeta(1200)
	m.Best = &Best{1000, 0.5}
	m.Evaluated = 1000
	want := `{
  "schema": 1,
  "step": 1200,
  "epoch": 400,
  "cursor": 9600,
  "seed": 18446744073709551615,
  "evaluated_step": 1000,
  "config_sha256": "c0ffee",
  "dataset_digest": "da7a",
  "versions": {
    "fcnx": "v0.1.0",
    "gomlx": "v0.28.2"
  },
  "plugin": {
    "name": "cpu",
    "sha256": "5ca1e"
  },
  "best": {
    "step": 1000,
    "mean_iou": 0.5
  },
  "time": "2026-07-01T12:00:00Z",
  "variables": {
    "bytes": 100,
    "sha256": "abababababababababababababababababababababababababababababababab"
  },
  "sha256": "`
	got := string(encodedMeta(t, m))
	require.True(t, strings.HasPrefix(got, want), got)
	require.Len(t, got, len(want)+64+len("\"\n}\n"))
}

// A run whose rate nobody changed says nothing of it, so that an fcnx that knows
// nothing of it either can read the checkpoint.
func TestMetaLRScale(t *testing.T) {
	m := testMeta(1)
	require.NotContains(t, string(encodedMeta(t, m)), "lr_scale")
	for _, scale := range []float64{0.25, 1. / (1 << 20), 1} {
		m.LRScale = scale
		got, err := decodeMeta(encodedMeta(t, m))
		require.NoError(t, err)
		require.Equal(t, scale, got.LRScale)
	}
	for _, scale := range []float64{math.NaN(), math.Inf(1), 2, -1} {
		m.LRScale = scale
		require.ErrorContains(t, m.check(), "the scale of the learning rate is")
	}
}

// Nor does a run of one stage say of which it is.
func TestMetaStage(t *testing.T) {
	m := testMeta(8)
	require.NotContains(t, string(encodedMeta(t, m)), "stage")
	for _, stage := range []Stage{{1, "fcn32s", 0}, {2, "a \"b\"", 5}, {64, "", 8}} {
		m.Stage = &stage
		got, err := decodeMeta(encodedMeta(t, m))
		require.NoError(t, err)
		require.Equal(t, &stage, got.Stage)
	}
	for _, stage := range []Stage{{0, "a", 0}, {-1, "a", 0}, {1, "a", -1}, {1, "a", 9}} {
		m.Stage = &stage
		require.ErrorContains(t, m.check(), "stage")
	}
}

func TestDecodeMetaRefuses(t *testing.T) {
	good := string(encodedMeta(t, testMeta(1)))
	// sealed gives a changed text a right hash, so that the hash is not what stops it.
	sealed := func(old, new string) string {
		text := strings.Replace(good[:len(good)-metaTailLength], old, new, 1)
		require.NotEqual(t, good[:len(good)-metaTailLength], text)
		return string(seal([]byte(text)))
	}
	_, err := decodeMeta([]byte(sealed(`"step": 1`, `"step": 2`)))
	require.NoError(t, err)
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "it is not JSON"},
		{"older", strings.Replace(good, `"schema": 1`, `"schema": 0`, 1), "it has schema 0, and this fcnx reads schema 1"},
		{"newer", strings.Replace(good, `"schema": 1`, `"schema": 2`, 1), "it has schema 2, from a newer fcnx than this one, which reads schema 1"},
		{"changed", strings.Replace(good, `"cursor": 8`, `"cursor": 9`, 1), "its sha256 does not match its content"},
		{"no hash", `{"schema": 1}`, "its sha256 does not match its content"},
		{"unknown key", sealed(`"step": 1`, `"stepp": 1`), `unknown field "stepp"`},
		{"wrong kind", sealed(`"step": 1`, `"step": "1"`), "cannot unmarshal string"},
		{"negative step", sealed(`"step": 1`, `"step": -1`), "step -1 is out of range"},
		{"negative cursor", sealed(`"cursor": 8`, `"cursor": -8`), "cursor -8 is negative"},
		{"evaluated too late", sealed(`"evaluated_step": 0`, `"evaluated_step": 9`), "the evaluated step 9 is not one of the steps up to 1"},
		{"scaled up", sealed(`"evaluated_step": 0`, `"evaluated_step": 0, "lr_scale": 1.5`), "the scale of the learning rate is 1.5, and not above 0 and at most 1"},
		{"negative scale", sealed(`"evaluated_step": 0`, `"evaluated_step": 0, "lr_scale": -0.5`), "the scale of the learning rate is -0.5"},
		{"no time", sealed(`"2026-07-01T12:00:00Z"`, `"0001-01-01T00:00:00Z"`), "it has no time"},
		{"hash of the variables", sealed(`abab`, `abax`), `variables.sha256 is "abax`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decodeMeta([]byte(c.text))
			require.ErrorContains(t, err, c.want)
		})
	}
}

// What decodes is encoded to the same text again, unless it was not ours.
func FuzzDecodeMeta(f *testing.F) {
	memtest.Cap(f)
	f.Add(encodedMeta(f, testMeta(1)))
	f.Add([]byte(`{"schema":1}`))
	f.Add([]byte(`{"schema":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		// The fuzzer cannot guess a hash, so it is given one.
		for _, text := range [][]byte{text, seal(text)} {
			var m Meta
			var err error
			memtest.Bound{Any: 64 << 10, PerByte: 100}.Within(t, len(text), func() { m, err = decodeMeta(text) })
			if err != nil {
				continue
			}
			again, err := encodeMeta(m)
			require.NoError(t, err)
			n, err := decodeMeta(again)
			require.NoError(t, err)
			require.Equal(t, m, n)
		}
	})
}
