package checkpoints

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A process that is killed after it has renamed a checkpoint, and before it has named it
// as the last and the best, leaves both behind; in a run that is complete nothing is saved
// any more that would mend them.
func TestLastAndBestAreBehindAfterKill(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 3)
	for _, step := range []int64{1, 2} {
		meta := testMeta(step)
		meta.Best = &Best{step, 0.1 * float64(step)}
		save(t, m, meta)
	}
	for name, text := range map[string]string{
		"behind": stepName(1) + "\n", "empty": "", "cut off": stepName(2), "chance": "\x00\xff", "longer": stepName(2) + "\nx",
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range []string{lastName, bestName} {
				require.NoError(t, os.WriteFile(filepath.Join(r.Dir, file), []byte(text), 0o666))
			}
			manager(t, r, 3)
			requireNamed(t, r, lastName, 2)
			requireNamed(t, r, bestName, 2)
		})
	}
	for _, file := range []string{lastName, bestName} {
		require.NoError(t, os.Remove(filepath.Join(r.Dir, file)))
	}
	manager(t, r, 3)
	requireNamed(t, r, lastName, 2)
	requireNamed(t, r, bestName, 2)

	// Neither names what is not there, or cannot be read.
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, stepName(2), metaName), nil, 0o666))
	manager(t, r, 3)
	requireNamed(t, r, lastName, 1)
	requireNamed(t, r, bestName, 1)
}

// What names the checkpoints already is not written again: a run may be looked at where
// nothing can be written.
func TestNamesAreLeftAlone(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 3)
	meta := testMeta(1)
	meta.Best = &Best{1, 0.1}
	save(t, m, meta)
	before, err := os.Stat(filepath.Join(r.Dir, lastName))
	require.NoError(t, err)
	manager(t, r, 3)
	after, err := os.Stat(filepath.Join(r.Dir, lastName))
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
}

// A process that is killed while it replaces config.toml leaves half of a new one.
func TestHalfAConfigIsClearedAway(t *testing.T) {
	r := newRun(t)
	tmp := r.ConfigPath() + tmpSuffix
	require.NoError(t, os.WriteFile(tmp, []byte("[run"), 0o666))
	manager(t, r, 3)
	_, err := os.Stat(tmp)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func requireNamed(t *testing.T, r *Run, file string, step int64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.Dir, file))
	require.NoError(t, err)
	require.Equal(t, stepName(step)+"\n", string(text))
}

// A meta.json that is a named pipe, to which nobody writes, held up whoever looked
// for the newest checkpoint for ever.
func TestMetaIsANamedPipe(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 3)
	save(t, m, testMeta(1))
	save(t, m, testMeta(2))
	path := filepath.Join(r.Dir, stepName(2), metaName)
	require.NoError(t, errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)))
	var warnings []string
	c, err := r.Newest(func(w string) { warnings = append(warnings, w) })
	require.NoError(t, err)
	require.Equal(t, int64(1), c.Meta.Step)
	require.NoError(t, c.Close())
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "meta.json is not a file")
}
