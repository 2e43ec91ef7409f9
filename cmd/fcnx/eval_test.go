package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fcnx runs a command in this process.
func fcnx(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	var out, messages bytes.Buffer
	require.Zero(t, run(t.Context(), args, strings.NewReader(""), &out, &messages), "fcnx %s\n%s", strings.Join(args, " "), messages.String())
	return out.String()
}

// What eval says of a checkpoint is what the run said when it saved it, to the last
// bit, from the run and from an export; with images that are resized and of several
// sizes, batch norm, and a last batch that is not full.
func TestEvalSaysWhatTheRunSaid(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	for split, n := range map[string]int{"train": 4, "val": 3} {
		for i := range n {
			size := []string{"40x60", "64x48", "40x60", "33x35"}[i]
			name := string(rune('a'+i)) + ".png"
			img, err := drawFixture(size, "rgb")
			require.NoError(t, err)
			require.NoError(t, writeFixture(filepath.Join(data, split, "images", name), img))
			mask, err := drawFixture(size, "grey:0,1,2,2,255,1,0,0")
			require.NoError(t, err)
			require.NoError(t, writeFixture(filepath.Join(data, split, "masks", name), mask))
		}
	}
	for _, resize := range []string{"", "48x40"} {
		name := "run" + resize
		fcnx(t, "train", "--data", "folder:"+data, "--model", "fcn32s", "--encoder", "vgg11_bn", "--set", "model.width=2",
			"--set", "model.head=8", "--set", "augment.resize="+resize, "--set", "eval.batch=2", "--steps", "3", "--batch", "2",
			"--lr", "0.1", "--out", dir, "--name", name, "--ui", "none")
		runDir := filepath.Join(dir, name)
		said := lastEvaluation(t, runDir)

		evaluated := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(fcnx(t, "eval", runDir, "--which", "last", "--json")), &evaluated))
		require.Len(t, evaluated, 7, "no field more or less than the contract has")
		for key, value := range evaluated {
			require.Equal(t, said[key], value, key)
		}

		file := filepath.Join(dir, name+".safetensors")
		fcnx(t, "weights", "export", runDir, "--which", "last", "--out", file)
		exported := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(fcnx(t, "eval", file, "--data", "folder:"+data, "--batch", "2", "--json")), &exported))
		require.Equal(t, evaluated, exported)
	}
}

// lastEvaluation is the last record of its kind in events.jsonl.
func lastEvaluation(t *testing.T, runDir string) map[string]any {
	t.Helper()
	events, err := os.ReadFile(filepath.Join(runDir, "events.jsonl"))
	require.NoError(t, err)
	var last map[string]any
	for line := range strings.Lines(string(events)) {
		record := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		if record["kind"] == "eval" {
			last = record
		}
	}
	require.NotNil(t, last)
	return last
}
