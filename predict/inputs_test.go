package predict

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// tree makes empty files in a new directory, and goes there.
func tree(t *testing.T, files ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, file := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		require.NoError(t, os.WriteFile(file, nil, 0o666))
	}
}

func TestInputs(t *testing.T) {
	tree(t, "in/b.jpg", "in/a/c.PNG", "in/a.d.webp", "in/notes.txt", "in/.hidden.png", "in/.git/x.png",
		"in/masks/b.png", "one.jpeg", "raw")
	require.NoError(t, os.Symlink("../one.jpeg", "in/link.jpg"))
	require.NoError(t, os.Symlink(".", "in/loop.png"))
	require.NoError(t, os.Symlink("in", "also"))
	require.NoError(t, os.WriteFile("list.txt", []byte("in/b.jpg\r\n\n./in/a/c.PNG\nnowhere/x.jpg\n/elsewhere/y.jpg\n../z.jpg"), 0o666))

	inputs, err := Inputs([]string{"in"}, "in/masks")
	require.NoError(t, err)
	require.Equal(t, []Input{{"in/a/c.PNG", "a/c"}, {"in/a.d.webp", "a.d"}, {"in/b.jpg", "b"}, {"in/link.jpg", "link"}}, inputs)

	inputs, err = Inputs([]string{"in/b.jpg", "raw", "one.jpeg", "in/b.jpg"}, "out")
	require.NoError(t, err)
	require.Equal(t, []Input{{"in/b.jpg", "b"}, {"raw", "raw"}, {"one.jpeg", "one"}}, inputs, "once each, whatever they are called")

	inputs, err = Inputs([]string{"@list.txt"}, "out")
	require.NoError(t, err)
	require.Equal(t, []Input{{"in/b.jpg", "in/b"}, {"./in/a/c.PNG", "in/a/c"}, {"nowhere/x.jpg", "nowhere/x"}, {"/elsewhere/y.jpg", "y"}, {"../z.jpg", "z"}}, inputs)

	inputs, err = Inputs([]string{"also"}, "in/masks")
	require.NoError(t, err)
	require.Len(t, inputs, 4, "a link to a directory is entered when it is named")

	for _, c := range []struct{ arg, want string }{
		{"nowhere", "nowhere: there is no such file or directory"},
		{"in/.git", ""},
		{"@nowhere", "no such file"},
		{"@raw", "raw: no path in it"},
	} {
		_, err := Inputs([]string{c.arg}, "out")
		if c.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.want)
		}
	}
	require.NoError(t, os.Mkdir("empty", 0o777))
	_, err = Inputs([]string{"empty"}, "out")
	require.ErrorContains(t, err, "empty: no images in it")
}

func TestStem(t *testing.T) {
	for name, want := range map[string]string{"a.png": "a", "a/b.c.png": "a/b.c", "a.b/c": "a.b/c", ".png": ".png", "x/.png": "x/.png"} {
		require.Equal(t, want, stem(name))
	}
}

func TestCheck(t *testing.T) {
	tree(t, "in/a.png", "in/a.jpg", "in/b.jpg", "in/b_overlay.jpg")
	require.NoError(t, os.Symlink("in", "same"))
	for _, c := range []struct {
		name    string
		inputs  []Input
		options Options
		want    string
	}{
		{"two extensions", []Input{{"in/a.png", "a"}, {"in/a.jpg", "a"}}, Options{Out: "out"},
			"in/a.png and in/a.jpg would both be written to out/a.png; rename one"},
		{"an overlay's name", []Input{{"in/b.jpg", "b"}, {"in/b_overlay.jpg", "b_overlay"}}, Options{Out: "out", Overlay: true},
			"in/b.jpg and in/b_overlay.jpg would both be written to out/b_overlay.png"},
		{"without overlays", []Input{{"in/b.jpg", "b"}, {"in/b_overlay.jpg", "b_overlay"}}, Options{Out: "out"}, ""},
		{"over an input", []Input{{"in/a.png", "a"}}, Options{Out: "in"},
			"in/a.png would be written over the image that is there; choose another --out"},
		{"over an input, through a link", []Input{{"in/a.png", "a"}}, Options{Out: "same"}, "same/a.png would be written over"},
		{"beside an input", []Input{{"in/b.jpg", "b"}}, Options{Out: "in"}, ""},
	} {
		err := c.options.Check(c.inputs)
		if c.want == "" {
			require.NoError(t, err, c.name)
		} else {
			require.ErrorContains(t, err, c.want, c.name)
		}
	}
}

func TestShardsAreTogetherTheWhole(t *testing.T) {
	var inputs []Input
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		inputs = append(inputs, Input{name, name})
	}
	require.Equal(t, inputs, Shard(inputs, 1, 1))
	for of := 1; of < 8; of++ {
		var all []Input
		for one := 1; one <= of; one++ {
			all = append(all, Shard(inputs, one, of)...)
		}
		require.ElementsMatch(t, inputs, all)
	}
}

// Whatever a list says, no output leads out of the output directory.
func FuzzList(f *testing.F) {
	memtest.Cap(f)
	for _, seed := range []string{"a.jpg\nb/c.png\r\n\n", "../../etc/passwd", "/..", "..", ".", "a/../../b", "\x00", "a\xff/\\..\\b.png", "C:\\x.png"} {
		f.Add([]byte(seed))
	}
	list := filepath.Join(f.TempDir(), "list.txt")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(list, text, 0o666))
		var inputs []Input
		var err error
		memtest.Bound{Any: 256 << 10, PerByte: 1 << 10}.Within(t, len(text), func() { inputs, err = Inputs([]string{"@" + list}, "out") })
		if err != nil {
			return
		}
		for _, in := range inputs {
			for _, suffix := range []string{maskSuffix, overlaySuffix, logitSuffix} {
				path := Options{Out: "out"}.path(in, suffix)
				relative, err := filepath.Rel("out", path)
				require.NoError(t, err)
				require.True(t, filepath.IsLocal(relative) && relative != ".", "%q is written to %q", in.Path, path)
			}
		}
	})
}
