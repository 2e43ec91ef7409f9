package sink_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

// stepsIn reads the file as any reader would and lists its steps.
func stepsIn(t *testing.T, path string) []int64 {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var steps []int64
	r := event.NewReader(bytes.NewReader(data))
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			require.Equal(t, int64(len(data)), r.Offset(), "a torn line")
			return steps
		}
		require.NoError(t, err)
		if step, ok := rec.(event.Step); ok {
			steps = append(steps, step.Step)
		}
	}
}

func TestJSONLFlushesTenTimesASecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	s, _, err := sink.OpenJSONL(path)
	require.NoError(t, err)
	step := func(n int64, second float64) {
		t.Helper()
		require.NoError(t, s.Handle(event.Step{Head: at(second), Step: n}))
	}

	step(1, 0)
	require.Equal(t, []int64{1}, stepsIn(t, path))
	step(2, 0.03)
	step(3, 0.06)
	require.Equal(t, []int64{1}, stepsIn(t, path))
	step(4, 0.10)
	require.Equal(t, []int64{1, 2, 3, 4}, stepsIn(t, path))

	step(5, 0.11)
	require.NoError(t, s.Handle(event.Eval{Head: at(0.12)}))
	require.Equal(t, []int64{1, 2, 3, 4, 5}, stepsIn(t, path))

	step(6, 0.13)
	step(7, -3600) // the clock is set back
	require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7}, stepsIn(t, path))

	step(8, -3599.99)
	require.NoError(t, s.Close())
	require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7, 8}, stepsIn(t, path))
}

func TestJSONLCutsOffATornLine(t *testing.T) {
	line, err := event.Marshal(event.Step{Head: at(0), Step: 1})
	require.NoError(t, err)
	whole := string(line) + "\n"
	for _, torn := range []string{"", "{", whole[:len(whole)-1], strings.Repeat("\x00", 4096)} {
		for _, before := range []string{"", whole, whole + whole} {
			path := filepath.Join(t.TempDir(), "events.jsonl")
			require.NoError(t, os.WriteFile(path, []byte(before+torn), 0o644))
			s, cut, err := sink.OpenJSONL(path)
			require.NoError(t, err)
			require.Equal(t, int64(len(torn)), cut)
			require.NoError(t, s.Handle(event.Step{Head: at(0), Step: 1}))
			require.NoError(t, s.Close())
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, before+whole, string(got))
		}
	}
}

// A run directory may come from anywhere: the end of another file is not cut off.
func TestJSONLFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "precious"), []byte("a\nb"), 0o644))
	path := filepath.Join(dir, "events.jsonl")
	require.NoError(t, os.Symlink("precious", path))
	_, _, err := sink.OpenJSONL(path)
	require.EqualError(t, err, path+" is a link, and a run writes to none; remove it")
	text, err := os.ReadFile(filepath.Join(dir, "precious"))
	require.NoError(t, err)
	require.Equal(t, "a\nb", string(text))
}

func TestJSONLLeavesOtherFilesAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "weights.bin")
	other := bytes.Repeat([]byte{0xff}, event.MaxLine+2)
	require.NoError(t, os.WriteFile(path, other, 0o644))
	_, _, err := sink.OpenJSONL(path)
	require.ErrorContains(t, err, "does not hold records")
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, other, got)

	_, _, err = sink.OpenJSONL(os.DevNull)
	require.ErrorContains(t, err, "not a regular file")
	_, _, err = sink.OpenJSONL(filepath.Join(dir, "no", "such", "directory"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Whatever a crash left is cut off after the last whole line, and nothing before it.
func FuzzJSONLTail(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte("{}\n{}\n{\"kind\":"))
	f.Add([]byte("\n"))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, before []byte) {
		path := filepath.Join(t.TempDir(), "events.jsonl")
		require.NoError(t, os.WriteFile(path, before, 0o644))
		var j *sink.JSONL
		var cut int64
		var err error
		memtest.Bound{Any: 64 << 10, PerByte: 2}.Within(t, len(before), func() { j, cut, err = sink.OpenJSONL(path) })
		require.NoError(t, err)
		require.NoError(t, j.Close())
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(before[:bytes.LastIndexByte(before, '\n')+1]), string(after))
		require.EqualValues(t, len(before)-len(after), cut)
	})
}
