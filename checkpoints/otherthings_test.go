package checkpoints

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// twoRuns are two runs with checkpoints of the steps 1 and 2 each, of other weights
// and, as their metas say, another configuration.
func twoRuns(t *testing.T) (run, other *Run) {
	run, other = newRun(t), newRun(t)
	for i, r := range []*Run{run, other} {
		m := manager(t, r, 2)
		for step := range int64(2) {
			meta := testMeta(step + 1)
			meta.Config = strings.Repeat("c", i+1)
			_, err := m.Save(meta, testInfos, testData(10*int64(i)+step+1, testInfos))
			require.NoError(t, err)
		}
	}
	return run, other
}

// What stands in the place of a checkpoint's file, other than that file, is noticed
// before anything is read of it, named, and the checkpoint before is taken.
func TestOtherThingsInTheirPlace(t *testing.T) {
	for name, test := range map[string]struct {
		// put puts it at path, where nothing is. older is the file of the checkpoint
		// before, foreign that of another run, and size how long the file was.
		put  func(path, older, foreign string, size int64) error
		want string // of the warning
	}{
		"nothing":          {func(string, string, string, int64) error { return nil }, "no such file"},
		"an empty file":    {func(path, _, _ string, _ int64) error { return os.WriteFile(path, nil, 0o666) }, ""},
		"a directory":      {func(path, _, _ string, _ int64) error { return os.Mkdir(path, 0o777) }, "is not a file"},
		"a pipe":           {func(path, _, _ string, _ int64) error { return unix.Mkfifo(path, 0o666) }, "is not a file"},
		"a loop of links":  {func(path, _, _ string, _ int64) error { return os.Symlink(path, path) }, "too many levels"},
		"a dangling link":  {func(path, _, _ string, _ int64) error { return os.Symlink("gone", path) }, "no such file"},
		"a device":         {func(path, _, _ string, _ int64) error { return os.Symlink("/dev/zero", path) }, "is not a file"},
		"a link to before": {func(path, older, _ string, _ int64) error { return os.Symlink(older, path) }, ""},
		"a hard link":      {func(path, older, _ string, _ int64) error { return os.Link(older, path) }, ""},
		"of another run":   {func(path, _, foreign string, _ int64) error { return os.Link(foreign, path) }, ""},
		"a hole": {func(path, _, _ string, size int64) error {
			f, err := os.Create(path)
			if err == nil {
				err = f.Truncate(size)
				f.Close()
			}
			return err
		}, ""},
	} {
		for _, file := range []string{variablesName, metaName} {
			t.Run(name+" for "+file, func(t *testing.T) {
				r, other := twoRuns(t)
				path := filepath.Join(r.Dir, stepName(2), file)
				info, err := os.Stat(path)
				require.NoError(t, err)
				require.NoError(t, os.Remove(path))
				require.NoError(t, test.put(path, filepath.Join(r.Dir, stepName(1), file), filepath.Join(other.Dir, stepName(2), file), info.Size()))

				var warnings []string
				c, err := r.Newest(func(w string) { warnings = append(warnings, w) })
				require.NoError(t, err)
				require.Equal(t, int64(1), c.Meta.Step)
				requireVariables(t, c)
				require.NoError(t, c.Close())
				require.Len(t, warnings, 1)
				require.Contains(t, warnings[0], "checkpoint step-000000000002 cannot be used (")
				require.Contains(t, warnings[0], file)
				require.Contains(t, warnings[0], test.want)

				// The run goes on from there, and over it.
				save(t, manager(t, r, 2), testMeta(2))
				c, err = r.Newest(noWarning(t))
				require.NoError(t, err)
				require.Equal(t, int64(2), c.Meta.Step)
				requireVariables(t, c)
				require.NoError(t, c.Close())
				// And leaves alone what a link led to.
				o, err := other.Newest(noWarning(t))
				require.NoError(t, err)
				require.NoError(t, o.Close())
			})
		}
	}
}

// Whole checkpoints in each other's place are told by their step, and one of another
// run by what it was saved with, which a resumed run compares.
func TestCheckpointsInEachOthersPlace(t *testing.T) {
	r, other := twoRuns(t)
	first, second := filepath.Join(r.Dir, stepName(1)), filepath.Join(r.Dir, stepName(2))
	require.NoError(t, os.Rename(first, first+"-"))
	require.NoError(t, os.Rename(second, first))
	require.NoError(t, os.Rename(first+"-", second))
	_, err := r.Newest(noWarning(t))
	require.ErrorContains(t, err, "step-000000000002: meta.json is of step 1")
	require.ErrorContains(t, err, "step-000000000001: meta.json is of step 2")

	require.NoError(t, os.RemoveAll(second))
	require.NoError(t, os.Rename(filepath.Join(other.Dir, stepName(2)), second))
	var warnings []string
	c, err := r.Newest(func(w string) { warnings = append(warnings, w) })
	require.NoError(t, err)
	require.Equal(t, "cc", c.Meta.Config)
	require.NoError(t, c.Close())
	require.Empty(t, warnings)
}

// A checkpoint of another schema, older or newer, is passed over by name, as one that
// is damaged.
func TestOtherSchemas(t *testing.T) {
	for schema, want := range map[int]string{
		Schema - 1: "meta.json: it has schema 0, and this fcnx reads schema 1",
		Schema + 1: "meta.json: it has schema 2, from a newer fcnx than this one, which reads schema 1",
		-1:         "meta.json: it has schema -1, and this fcnx reads schema 1",
	} {
		r, _ := twoRuns(t)
		path := filepath.Join(r.Dir, stepName(2), metaName)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, json.Unmarshal(text, &fields))
		fields["schema"] = schema
		fields["what another schema has"] = true
		text, err = json.Marshal(fields)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, text, 0o666))
		var warnings []string
		c, err := r.Newest(func(w string) { warnings = append(warnings, w) })
		require.NoError(t, err)
		require.Equal(t, int64(1), c.Meta.Step)
		require.NoError(t, c.Close())
		require.Equal(t, []string{"checkpoint step-000000000002 cannot be used (" + want + "), step-000000000001 is taken instead"}, warnings)
	}
}

// LAST and BEST are for people: whatever they hold, the run finds its checkpoints, and
// the next save puts them right.
func TestGarbledNames(t *testing.T) {
	for _, garbage := range []string{"", "step-000000000009\n", "../../etc/passwd", "\x00\xff\x1b[2J", strings.Repeat("x", 1<<20)} {
		r := newRun(t)
		m := manager(t, r, 2)
		meta := testMeta(1)
		meta.Best = &Best{Step: 1, MeanIoU: 0.5}
		save(t, m, meta)
		for _, name := range []string{lastName, bestName} {
			require.NoError(t, os.WriteFile(filepath.Join(r.Dir, name), []byte(garbage), 0o666))
		}
		for _, open := range []func(func(string)) (*Checkpoint, error){r.Newest, r.Best} {
			c, err := open(noWarning(t))
			require.NoError(t, err)
			requireVariables(t, c)
			require.NoError(t, c.Close())
		}
		meta = testMeta(2)
		meta.Best = &Best{Step: 2, MeanIoU: 0.6}
		save(t, m, meta)
		for _, name := range []string{lastName, bestName} {
			text, err := os.ReadFile(filepath.Join(r.Dir, name))
			require.NoError(t, err)
			require.True(t, bytes.Equal(text, []byte(stepName(2)+"\n")))
		}
	}
}
