package main

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train/event"
)

// madeRun is a run of four steps as a process would leave it, without one.
func madeRun(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "run")
	run, err := checkpoints.Create(dir, []byte("config"), time.Now())
	require.NoError(t, err)
	defer run.Close()
	m, err := checkpoints.NewManager(run, 3, func(w string) { t.Error(w) })
	require.NoError(t, err)
	var records []event.Record
	for step := range int64(4) {
		records = append(records, event.Step{Head: event.Head{Time: time.Now()}, Step: step + 1, Loss: event.Float(1 / float64(step+1)), StepMS: float64(time.Now().Nanosecond())})
		meta := checkpoints.Meta{Step: step + 1, Time: time.Now()}
		_, err := m.Save(meta, []checkpoints.Info{{Name: "w", DType: "F32", Shape: []int{3}}}, func(_ string, w io.Writer) error {
			return binary.Write(w, binary.LittleEndian, []float32{1, 2, float32(step)})
		})
		require.NoError(t, err)
	}
	records = append(records, event.Eval{Head: event.Head{Time: time.Now()}, Step: 4, Loss: 0.25, Seconds: time.Since(time.Time{}).Seconds()})
	writeRecords(t, dir, records...)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "overlays"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlays", "0.png"), []byte("picture"), 0o644))
	return dir
}

func writeRecords(t *testing.T, dir string, records ...event.Record) {
	f, err := os.OpenFile(filepath.Join(dir, "events.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	defer f.Close()
	for _, r := range records {
		line, err := event.Marshal(r)
		require.NoError(t, err)
		_, err = f.Write(append(line, '\n'))
		require.NoError(t, err)
	}
}

// Times make no difference between two runs, and everything else does: attacks that saw
// less would prove less.
func TestEndsDiffer(t *testing.T) {
	want, err := readEnd(madeRun(t), false)
	require.NoError(t, err)
	tests := map[string]struct {
		change func(dir string) error
		says   string
	}{
		"nothing": {func(string) error { return nil }, ""},
		"a step less": {func(dir string) error {
			return os.RemoveAll(filepath.Join(dir, "step-000000000004"))
		}, "it ends with step 3, not 4"},
		"a picture": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "overlays", "0.png"), []byte("Picture"), 0o644)
		}, "0.png differs"},
		"no picture": {func(dir string) error { return os.Remove(filepath.Join(dir, "overlays", "0.png")) }, "0.png differs, or is not there"},
		"a loss": {func(dir string) error {
			return replaceIn(filepath.Join(dir, "events.jsonl"), `"loss":0.5`, `"loss":0.50001`)
		}, `step 2: {"kind":"step"`},
		"a score": {func(dir string) error {
			return replaceIn(filepath.Join(dir, "events.jsonl"), `"loss":0.25,"class`, `"loss":0.26,"class`)
		}, "evaluation of step 4"},
		"a step that came out differently again": {func(dir string) error {
			writeRecords(t, dir, event.Step{Head: event.Head{Time: time.Now()}, Step: 3, Loss: 0.4})
			return nil
		}, "step 3 came out differently when it was repeated"},
		"a line that is no record": {func(dir string) error {
			return replaceIn(filepath.Join(dir, "events.jsonl"), `{"kind":"eval"`, `"kind":"eval"`)
		}, "events.jsonl, line 5: "},
		"a checkpoint that is not whole": {func(dir string) error {
			return os.Truncate(filepath.Join(dir, "step-000000000004", variablesName), 7)
		}, "at the end: checkpoint step-000000000004 cannot be used"},
		"the cursor": {func(dir string) error {
			return changeMeta(filepath.Join(dir, "step-000000000004", metaName), `"cursor": 0`, `"cursor": 9`)
		}, `meta.json of step 4 differs: "cursor": 9,, not "cursor": 0,`},
		"the variables": {func(dir string) error {
			path := filepath.Join(dir, "step-000000000004", metaName)
			text, err := os.ReadFile(filepath.Join(dir, "step-000000000003", metaName))
			if err == nil {
				err = os.WriteFile(path, text, 0o644)
			}
			if err == nil {
				err = changeMeta(path, `"step": 3`, `"step": 4`)
			}
			if err == nil {
				err = os.Remove(filepath.Join(dir, "step-000000000004", variablesName))
			}
			if err == nil {
				err = os.Link(filepath.Join(dir, "step-000000000003", variablesName), filepath.Join(dir, "step-000000000004", variablesName))
			}
			return err
		}, "variables.safetensors of step 4 differs"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := madeRun(t)
			require.NoError(t, test.change(dir))
			got, err := readEnd(dir, false)
			if err == nil {
				err = got.differs(want)
			}
			if test.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestPredictionsDiffer(t *testing.T) {
	e := end{predicted: map[string]string{"0.npy": "a", "0.png": "b"}}
	require.NoError(t, e.differs(&end{predicted: map[string]string{"0.npy": "a", "0.png": "b"}}))
	require.ErrorContains(t, e.differs(&end{predicted: map[string]string{"0.npy": "a", "0.png": "c"}}), "prediction 0.png differs")
}

func replaceIn(path, old, with string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), old) {
		return os.ErrNotExist
	}
	return os.WriteFile(path, []byte(strings.Replace(string(text), old, with, 1)), 0o644)
}

// changeMeta changes a meta.json and its hash with it.
func changeMeta(path, old, with string) error {
	if err := replaceIn(path, old, with); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if text, err = rehash(text); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// What is made anew is what fcnx writes.
func TestRehash(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(madeRun(t), "step-000000000004", metaName))
	require.NoError(t, err)
	again, err := rehash(text)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
}

// All times of a run are a year later, and it is as whole as before.
func TestYearAhead(t *testing.T) {
	dir := madeRun(t)
	require.NoError(t, yearAhead(dir))
	run, err := checkpoints.OpenRun(dir)
	require.NoError(t, err)
	c, err := run.Newest(func(w string) { t.Error(w) })
	require.NoError(t, err)
	defer c.Close()
	require.Greater(t, time.Until(c.Meta.Time), 300*24*time.Hour)
	records, err := readRecords(filepath.Join(dir, "events.jsonl"), false)
	require.NoError(t, err)
	for _, r := range records {
		require.Greater(t, time.Until(r.At()), 300*24*time.Hour)
	}
	info, err := os.Stat(filepath.Join(dir, "LAST"))
	require.NoError(t, err)
	require.Greater(t, time.Until(info.ModTime()), 300*24*time.Hour)
}

func TestLeftovers(t *testing.T) {
	dir := madeRun(t)
	require.NoError(t, leftovers(dir))
	for _, name := range []string{"step-000000000005.tmp", "step-000000000004.old", "LAST.tmp"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		require.EqualError(t, leftovers(dir), name+" is left over")
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
	}
}
