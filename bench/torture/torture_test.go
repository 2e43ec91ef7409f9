package main

import (
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of all that is random in the attacks")
	named = flag.String("fault", "", "try only the faults whose names match this regular expression")
)

// Every fault is tried, a few times and most without XLA: make torture is the long form.
// It wants XLA's plugin for the CPU where the program looks for it (make plugin).
func TestTorture(t *testing.T) {
	program := filepath.Join(t.TempDir(), "fcnx")
	out, err := exec.Command("go", "build", "-trimpath", "-o", program, "../../cmd/fcnx").CombinedOutput()
	require.NoError(t, err, "%s", out)
	said := new(strings.Builder)
	err = torture(t.Context(), []string{"-short", "-fcnx", program, "-seed", fmt.Sprint(*seed), "-run", *named}, said)
	t.Logf("again: go test ./bench/torture -run Torture -seed %d\n%s", *seed, said)
	require.NoError(t, err)
}

func TestArguments(t *testing.T) {
	for args, says := range map[string]string{
		"-out page.md -short":         "-out is for all faults at full length",
		"-out page.md -run kill":      "-out is for all faults at full length",
		"-run (":                      "-run: error parsing regexp",
		"-fcnx no/such/program":       "the program to attack: stat",
		"-fcnx main.go -run no-fault": "no fault has a name like that",
	} {
		t.Run(args, func(t *testing.T) {
			err := torture(t.Context(), append(strings.Fields(args), "-dir", t.TempDir()), new(strings.Builder))
			require.ErrorContains(t, err, says)
		})
	}
}

// Each row can be asked for by its name.
func TestNamesOfFaults(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range faults {
		require.False(t, seen[f.name], "two faults are named %q", f.name)
		require.NotContains(t, f.name+f.injected, "|", "the table is cut at these")
		seen[f.name] = true
	}
}
