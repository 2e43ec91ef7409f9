package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// However a command prints, and whether or not it looks at what came of it, half a result
// in a file is an error, with the code of a place that cannot be written to.
func TestResultsThatAreNotWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.WriteFile(path, nil, 0o666))
	before := errors.New("an error of its own")
	for name, test := range map[string]struct {
		print func(io.Writer) error
		want  string
	}{
		"nobody looks":       {func(w io.Writer) error { fmt.Fprintln(w, "a"); return nil }, "^the results are not whole: write "},
		"a whole table":      {func(w io.Writer) error { _, _ = io.WriteString(w, "a"); return nil }, "^the results are not whole: write "},
		"the command looks":  {func(w io.Writer) error { return json.NewEncoder(w).Encode(1) }, "^write "},
		"it failed before":   {func(w io.Writer) error { fmt.Fprintln(w, "a"); return before }, "^an error of its own\nthe results are not whole: write "},
		"it printed nothing": {func(io.Writer) error { return before }, "^an error of its own$"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := os.Open(path) // to be read only: every write fails
			require.NoError(t, err)
			defer file.Close()
			out, results := resultsTo(file)
			err = results.whole(test.print(out))
			require.Regexp(t, test.want, err.Error())
		})
	}
}

// A disk that is full gives the code of one, also where the command returns what it hit.
func TestResultsOnAFullDisk(t *testing.T) {
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer file.Close()
	r := &results{file: file}
	_, failed := io.WriteString(r, "a")
	require.Error(t, failed)
	require.Equal(t, exitUnwritable, exitCode(r.whole(failed)))
	require.Equal(t, exitUnwritable, exitCode(r.whole(nil)))
}
