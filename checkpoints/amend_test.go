package checkpoints

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Amending changes two numbers of meta.json, and no byte of anything else.
func TestAmend(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 3)
	save(t, m, testMeta(1))
	save(t, m, testMeta(2))
	c, err := r.Newest(noWarning(t))
	require.NoError(t, err)
	require.NoError(t, m.Amend(c, 3, 0.125))
	require.NoError(t, c.Close())

	c, err = r.Newest(noWarning(t))
	require.NoError(t, err)
	want, err := r.At(1)
	require.NoError(t, err)
	require.Equal(t, 3, c.Meta.Retries)
	require.Equal(t, 0.125, c.Meta.LRScale)
	require.Equal(t, int64(2), c.Meta.Step)
	require.Zero(t, want.Meta.Retries)
	requireVariables(t, c)
	requireVariables(t, want)
	require.NoError(t, want.Close())

	// What is not a state is not written, and neither is what finds no place.
	before, err := os.ReadFile(filepath.Join(r.Dir, c.Name, metaName))
	require.NoError(t, err)
	require.ErrorContains(t, m.Amend(c, -1, 0.5), "it went back -1 times")
	require.ErrorContains(t, m.Amend(c, 1, 2), "the scale of the learning rate is 2")
	require.Equal(t, 3, c.Meta.Retries)
	after, err := os.ReadFile(filepath.Join(r.Dir, c.Name, metaName))
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
	require.NoError(t, os.RemoveAll(filepath.Join(r.Dir, c.Name)))
	require.ErrorContains(t, m.Amend(c, 4, 0.5), "amend checkpoint "+c.Name)
	require.NoError(t, c.Close())
}

// A run that never went back says nothing of it, so that an fcnx that knows nothing of
// it either can read the checkpoint.
func TestMetaRetries(t *testing.T) {
	m := testMeta(1)
	require.NotContains(t, string(encodedMeta(t, m)), "retries")
	m.Retries = 100
	got, err := decodeMeta(encodedMeta(t, m))
	require.NoError(t, err)
	require.Equal(t, 100, got.Retries)
}
