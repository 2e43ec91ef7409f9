package datasets

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

func TestParseSpec(t *testing.T) {
	for text, want := range map[string]Spec{
		"shapes":                        {Kind: "shapes"},
		"shapes?size=64x96&n=10":        {Kind: "shapes", Options: map[string]string{"size": "64x96", "n": "10"}},
		"folder:data/my set":            {Kind: "folder", Path: "data/my set"},
		"folder:/a:b&c=d?val=0.1":       {Kind: "folder", Path: "/a:b&c=d", Options: map[string]string{"val": "0.1"}},
		"voc:/d?train=a=b":              {Kind: "voc", Path: "/d", Options: map[string]string{"train": "a=b"}},
		`camvid:C:\data?max_pixels=100`: {Kind: "camvid", Path: `C:\data`, Options: map[string]string{"max_pixels": "100"}},
	} {
		spec, err := ParseSpec(text)
		require.NoError(t, err, text)
		require.Equal(t, want, spec, text)
	}
	require.Equal(t, "shapes?n=10&size=64x96", Spec{Kind: "shapes", Options: map[string]string{"size": "64x96", "n": "10"}}.String())
}

func TestParseSpecErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                     `data "": there is no kind of data ""; the kinds are shapes, folder, camvid, voc`,
		"shaeps":               `data "shaeps": there is no kind of data "shaeps" (did you mean "shapes"?); the kinds are shapes, folder, camvid, voc`,
		"quux:x":               `data "quux:x": there is no kind of data "quux"; the kinds are shapes, folder, camvid, voc`,
		"./cats":               `data "./cats": that is a path, and the kind of data is missing; write folder:./cats where images/ and masks/ are (the kinds are shapes, folder, camvid, voc)`,
		"folder":               `data "folder": the directory is missing; write folder:DIR`,
		"folder:?val=0.1":      `data "folder:?val=0.1": the directory is missing; write folder:DIR`,
		"shapes:x":             `data "shapes:x": shapes takes no path; write shapes, or shapes?key=value`,
		"shapes:":              `data "shapes:": shapes takes no path; leave the colon out`,
		"shapes?sise=3x3":      `data "shapes?sise=3x3": shapes has no option "sise" (did you mean "size"?); it has n, val_n, size, seed, classes`,
		"voc:d?":               `data "voc:d?": voc has no option ""; it has train, val, max_pixels, exif`,
		"shapes?n":             `data "shapes?n": option n has no value; write n=VALUE`,
		"shapes?n=1&n=2":       `data "shapes?n=1&n=2": option n is there twice`,
		"folder:d?val=1&val=2": `data "folder:d?val=1&val=2": option val is there twice`,
	} {
		_, err := ParseSpec(text)
		var spec *SpecError
		require.ErrorAs(t, err, &spec, text)
		require.Equal(t, want, err.Error())
	}
}

func TestOpenErrors(t *testing.T) {
	for _, c := range []struct{ spec, split, want string }{
		{"shapes", "vall", `there is no split "vall" (did you mean "val"?); the splits are train, val and test`},
		{"shapes?n=0", Train, `data "shapes?n=0": n=0 is not a whole number from 1 to 2147483647`},
		{"shapes?classes=8", Train, `data "shapes?classes=8": classes=8 is not a whole number from 2 to 7`},
		{"shapes?size=96", Train, `data "shapes?size=96": size=96 is not HEIGHTxWIDTH, like 96x128, each from 16 to 4096`},
		{"shapes?size=96x9999", Train, `data "shapes?size=96x9999": size=96x9999 is not HEIGHTxWIDTH, like 96x128, each from 16 to 4096`},
		{"folder:no/such", Train, `no/such: there is no such directory`},
		{"voc:~/voc", Train, `~/voc: there is no such directory: shells leave ~ alone behind a colon; write $HOME instead`},
	} {
		_, err := Open(c.spec, c.split)
		require.EqualError(t, err, c.want)
	}
}

func FuzzParseSpec(f *testing.F) {
	memtest.Cap(f)
	for _, seed := range []string{"shapes", "shapes?n=1&size=2x2", "folder:a b?val=.5", "voc:/x?train=y=z", "camvid:a?max_pixels=1", "camvid:?", "a&b", ":"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var spec Spec
		var err error
		memtest.Bound{Any: 64 << 10, PerByte: 256}.Within(t, len(text), func() { spec, err = ParseSpec(text) })
		if err != nil {
			var wrong *SpecError
			if !errors.As(err, &wrong) {
				t.Fatalf("%q: %v is no SpecError", text, err)
			}
			return
		}
		again, err := ParseSpec(spec.String())
		require.NoError(t, err)
		require.Equal(t, spec, again)
		require.Equal(t, spec.String(), again.String())
	})
}

// slowDistance is the definition of Levenshtein's distance, without the table.
func slowDistance(a, b string) int {
	switch {
	case a == "" || b == "":
		return len(a) + len(b)
	case a[0] == b[0]:
		return slowDistance(a[1:], b[1:])
	}
	return 1 + min(slowDistance(a[1:], b), slowDistance(a, b[1:]), slowDistance(a[1:], b[1:]))
}

func TestEditDistance(t *testing.T) {
	words := []string{"", "n", "val", "vla", "seed", "size", "sise", "shapes", "shpaes", "folder"}
	for _, a := range words {
		for _, b := range words {
			require.Equal(t, slowDistance(a, b), editDistance(a, b), "%q to %q", a, b)
		}
	}
}
