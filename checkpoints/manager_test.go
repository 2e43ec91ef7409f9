package checkpoints

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints/storagetest"
)

// testInfos is the state of a small net: enough to cross a buffer's edge.
var testInfos = []Info{
	{"conv1_1/weight", "F32", []int{3, 3, 3, 16}},
	{"conv1_1/bias", "F32", []int{16}},
	{"global_step", "I64", nil},
}

// testBytes is what tensor name holds at a step, a pure function of both.
func testBytes(step int64, info Info) []byte {
	size, err := info.Size()
	if err != nil {
		panic(err)
	}
	seed := sha256.Sum256(fmt.Appendf(nil, "%d %s", step, info.Name))
	b := make([]byte, size)
	if _, err := rand.NewChaCha8(seed).Read(b); err != nil {
		panic(err)
	}
	return b
}

func testData(step int64, infos []Info) func(string, io.Writer) error {
	return func(name string, w io.Writer) error {
		i := slices.IndexFunc(infos, func(info Info) bool { return info.Name == name })
		_, err := w.Write(testBytes(step, infos[i]))
		return err
	}
}

func testMeta(step int64) Meta {
	return Meta{
		Step: step, Epoch: float64(step) / 3, Cursor: 8 * step, Seed: math.MaxUint64,
		Config: "c0ffee", Dataset: "da7a",
		Versions: map[string]string{"fcnx": "v0.1.0", "gomlx": "v0.28.2"},
		Plugin:   Plugin{"cpu", "5ca1e"},
		Time:     testTime,
	}
}

func save(t testing.TB, m *Manager, meta Meta) Saved {
	saved, err := m.Save(meta, testInfos, testData(meta.Step, testInfos))
	require.NoError(t, err)
	return saved
}

func manager(t testing.TB, r *Run, keep int) *Manager {
	m, err := NewManager(r, keep, func(w string) { t.Errorf("warning: %s", w) })
	require.NoError(t, err)
	return m
}

// noWarning is for loads that must go without one.
func noWarning(t testing.TB) func(string) {
	return func(w string) { t.Errorf("warning: %s", w) }
}

func requireVariables(t testing.TB, c *Checkpoint) {
	for _, info := range testInfos {
		got, err := c.Variables.Read(info.Name)
		require.NoError(t, err)
		require.Equal(t, testBytes(c.Meta.Step, info), got, info.Name)
	}
}

// list names what the run directory has besides its config and lock.
func list(t testing.TB, r *Run) []string {
	entries, err := os.ReadDir(r.Dir)
	require.NoError(t, err)
	names := []string{}
	for _, e := range entries {
		if e.Name() != configName && e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestSaveThenLoad(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 2)
	_, err := r.Newest(noWarning(t))
	require.ErrorIs(t, err, ErrNoCheckpoint)
	_, err = r.Best(noWarning(t))
	require.ErrorIs(t, err, ErrNoCheckpoint)

	meta := testMeta(1200)
	meta.Best = &Best{Step: 1000, MeanIoU: 0.5}
	saved := save(t, m, meta)
	require.Equal(t, "step-000000001200", saved.Path)
	require.False(t, saved.Best)
	size := int64(0)
	for _, name := range []string{variablesName, metaName} {
		info, err := os.Stat(filepath.Join(r.Dir, saved.Path, name))
		require.NoError(t, err)
		size += info.Size()
	}
	require.Equal(t, size, saved.Bytes)

	c, err := r.Newest(noWarning(t))
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, saved.Path, c.Name)
	file, err := os.ReadFile(filepath.Join(r.Dir, saved.Path, variablesName))
	require.NoError(t, err)
	sum := sha256.Sum256(file)
	meta.Schema = Schema
	meta.Variables = Variables{int64(len(file)), hex.EncodeToString(sum[:])}
	require.Equal(t, meta, c.Meta, "a seed above 2^53 keeps all its bits")
	requireVariables(t, c)

	// Equal input, equal bytes.
	save(t, m, testMeta(1201))
	other := newRun(t)
	save(t, manager(t, other, 1), testMeta(1201))
	for _, name := range []string{variablesName, metaName} {
		a, err := os.ReadFile(filepath.Join(r.Dir, stepName(1201), name))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(other.Dir, stepName(1201), name))
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
}

func TestRetention(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 2)
	best := &Best{Step: 2, MeanIoU: 0.9}
	for step := int64(1); step <= 6; step++ {
		meta := testMeta(step)
		if step >= 2 {
			meta.Best = best
		}
		require.Equal(t, step == 2, save(t, m, meta).Best)
	}
	require.Equal(t, []string{"BEST", "LAST", stepName(2), stepName(5), stepName(6)}, list(t, r))
	for file, want := range map[string]string{lastName: stepName(6), bestName: stepName(2)} {
		text, err := os.ReadFile(filepath.Join(r.Dir, file))
		require.NoError(t, err)
		require.Equal(t, want+"\n", string(text))
	}
	c, err := r.Best(noWarning(t))
	require.NoError(t, err)
	require.Equal(t, int64(2), c.Meta.Step)
	require.NoError(t, c.Close())
	c, err = r.At(5)
	require.NoError(t, err)
	requireVariables(t, c)
	require.NoError(t, c.Close())
	_, err = r.At(4)
	require.EqualError(t, err, r.Dir+" has no checkpoint of step 4; it has those of [2 5 6]")

	// A better one frees the old best.
	meta := testMeta(7)
	meta.Best = &Best{Step: 7, MeanIoU: 0.95}
	require.True(t, save(t, m, meta).Best)
	require.Equal(t, []string{"BEST", "LAST", stepName(6), stepName(7)}, list(t, r))
	steps, err := r.Steps()
	require.NoError(t, err)
	require.Equal(t, []int64{6, 7}, steps)
}

// The first save of a step comes from the clock, the second from the evaluation of
// the same step.
func TestSaveTwiceAtOneStep(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 1)
	save(t, m, testMeta(5))
	meta := testMeta(5)
	meta.Best = &Best{Step: 5, MeanIoU: 0.25}
	require.True(t, save(t, m, meta).Best)
	require.Equal(t, []string{"BEST", "LAST", stepName(5)}, list(t, r))
	c, err := r.Best(noWarning(t))
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, 0.25, c.Meta.Best.MeanIoU)
	requireVariables(t, c)
}

// Every state that a kill can leave a replacement in.
func TestKilledWhileReplacing(t *testing.T) {
	for _, c := range []struct {
		name        string
		leave       func(t *testing.T, final string)
		wantLoaded  string
		wantCleared []string
	}{
		{"before the first rename", func(t *testing.T, final string) {
			require.NoError(t, os.CopyFS(final+tmpSuffix, os.DirFS(final)))
		}, stepName(5), []string{"LAST", stepName(5)}},
		{"between the renames", func(t *testing.T, final string) {
			require.NoError(t, os.CopyFS(final+tmpSuffix, os.DirFS(final)))
			require.NoError(t, os.Rename(final, final+oldSuffix))
		}, stepName(5) + oldSuffix, []string{"LAST", stepName(5)}},
		{"before the old one was removed", func(t *testing.T, final string) {
			require.NoError(t, os.CopyFS(final+oldSuffix, os.DirFS(final)))
		}, stepName(5), []string{"LAST", stepName(5)}},
		{"while the old one was removed", func(t *testing.T, final string) {
			require.NoError(t, os.Mkdir(final+oldSuffix+tmpSuffix, 0o777))
		}, stepName(5), []string{"LAST", stepName(5)}},
		{"while a pointer was written", func(t *testing.T, final string) {
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(final), "LAST.tmp"), nil, 0o666))
		}, stepName(5), []string{"LAST", stepName(5)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(t)
			save(t, manager(t, r, 1), testMeta(5))
			c.leave(t, filepath.Join(r.Dir, stepName(5)))

			loaded, err := r.Newest(noWarning(t))
			require.NoError(t, err)
			require.Equal(t, c.wantLoaded, loaded.Name)
			requireVariables(t, loaded)
			require.NoError(t, loaded.Close())
			loaded, err = r.At(5)
			require.NoError(t, err)
			require.NoError(t, loaded.Close())
			steps, err := r.Steps()
			require.NoError(t, err)
			require.Equal(t, []int64{5}, steps)

			m := manager(t, r, 1)
			require.Equal(t, c.wantCleared, list(t, r))
			loaded, err = r.Newest(noWarning(t))
			require.NoError(t, err)
			require.Equal(t, stepName(5), loaded.Name)
			require.NoError(t, loaded.Close())
			save(t, m, testMeta(5))
		})
	}
}

func TestManagerLeavesOtherFilesAlone(t *testing.T) {
	r := newRun(t)
	for _, name := range []string{"notes.tmp", "step-7.tmp", "step-000000000007.bak", "events.jsonl"} {
		require.NoError(t, os.WriteFile(filepath.Join(r.Dir, name), nil, 0o666))
	}
	save(t, manager(t, r, 1), testMeta(1))
	require.Equal(t, []string{"LAST", "events.jsonl", "notes.tmp", stepName(1), "step-000000000007.bak", "step-7.tmp"}, list(t, r))
}

func TestSaveRefuses(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 3)
	save(t, m, testMeta(1))
	before := list(t, r)
	for _, c := range []struct {
		name   string
		change func(*Meta)
		data   func(string, io.Writer) error
		want   string
	}{
		{"NaN", func(m *Meta) { m.Best = &Best{1, math.NaN()} }, nil, "best mean IoU NaN is not a number"},
		{"best in the future", func(m *Meta) { m.Best = &Best{3, 0.5} }, nil, "best step 3 is not one of the steps up to 2"},
		{"negative step", func(m *Meta) { m.Step = -1 }, nil, "step -1 is out of range"},
		{"step too large", func(m *Meta) { m.Step = 1e12 }, nil, "step 1000000000000 is out of range"},
		{"no time", func(m *Meta) { *m = Meta{Step: 2} }, nil, "it has no time"},
		{"device lost", func(*Meta) {}, func(string, io.Writer) error { return errors.New("device lost") }, "device lost; those saved before are untouched"},
		{"short data", func(*Meta) {}, func(string, io.Writer) error { return nil }, `tensor "global_step" has 0 bytes, and 8 were announced`},
	} {
		t.Run(c.name, func(t *testing.T) {
			meta := testMeta(2)
			c.change(&meta)
			_, err := m.Save(meta, testInfos, c.data)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "save checkpoint ")
			require.Equal(t, before, list(t, r))
		})
	}
	_, err := NewManager(&Run{Dir: r.Dir}, 1, noWarning(t))
	require.ErrorContains(t, err, "is not locked by this process")
	_, err = NewManager(r, 0, noWarning(t))
	require.EqualError(t, err, "checkpoint.keep is 0: at least one checkpoint must be kept")
}

// Works for root too, whom a read-only directory does not stop.
func TestSaveWhereTheRunIsGone(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 1)
	require.NoError(t, os.RemoveAll(r.Dir))
	_, err := m.Save(testMeta(1), testInfos, testData(1, testInfos))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(r.Dir, nil, 0o666))
	_, err = m.Save(testMeta(1), testInfos, testData(1, testInfos))
	require.ErrorContains(t, err, "not a directory")
}

func TestSaveIntoAReadOnlyDirectory(t *testing.T) {
	if !storagetest.WithoutPrivileges(t) {
		return
	}
	r := newRun(t)
	m := manager(t, r, 1)
	save(t, m, testMeta(1))
	require.NoError(t, os.Chmod(r.Dir, 0o555))
	defer os.Chmod(r.Dir, 0o777)
	_, err := m.Save(testMeta(2), testInfos, testData(2, testInfos))
	require.ErrorIs(t, err, os.ErrPermission)
	c, err := r.Newest(noWarning(t))
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// An old checkpoint that cannot be removed is a warning: the new one is safe.
func TestOldCheckpointCannotBeRemoved(t *testing.T) {
	if !storagetest.WithoutPrivileges(t) {
		return
	}
	r := newRun(t)
	var warnings []string
	m, err := NewManager(r, 1, func(w string) { warnings = append(warnings, w) })
	require.NoError(t, err)
	save(t, m, testMeta(1))
	require.NoError(t, os.Chmod(filepath.Join(r.Dir, stepName(1)), 0o555))
	defer os.Chmod(filepath.Join(r.Dir, stepName(1)+tmpSuffix), 0o777)
	save(t, m, testMeta(2))
	require.Len(t, warnings, 1)
	require.True(t, strings.HasPrefix(warnings[0], "an old checkpoint could not be removed: "), warnings[0])
}

// The best evaluation's checkpoint may have failed, and the run may have gone on. Then the
// best that there is stays, and BEST names it.
func TestBestThatWasNeverSaved(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 1)
	for step := int64(1); step <= 6; step++ {
		meta := testMeta(step)
		switch {
		case step >= 4: // 4 itself could not be saved
			meta.Best = &Best{Step: 4, MeanIoU: 0.9}
		case step >= 2:
			meta.Best = &Best{Step: 2, MeanIoU: 0.5}
		}
		if step != 4 {
			save(t, m, meta)
		}
	}
	require.Equal(t, []string{"BEST", "LAST", stepName(2), stepName(6)}, list(t, r))
	name, err := os.ReadFile(filepath.Join(r.Dir, bestName))
	require.NoError(t, err)
	require.Equal(t, stepName(2)+"\n", string(name))
	c, err := r.Best(func(string) {})
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, int64(2), c.Meta.Step)

	// The next one that is better takes its place.
	meta := testMeta(7)
	meta.Best = &Best{Step: 7, MeanIoU: 0.95}
	save(t, m, meta)
	require.Equal(t, []string{"BEST", "LAST", stepName(7)}, list(t, r))
}
