package device

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCPUEnvironment(t *testing.T) {
	of := func(machine string) Plugin {
		pinned, err := cpuWheel(machine)
		require.NoError(t, err)
		return Plugin{Kind: CPU, SHA256: pinned.library}
	}
	file := func(flags string) string {
		path := filepath.Join(t.TempDir(), "flags")
		require.NoError(t, os.WriteFile(path, []byte(flags), 0o644))
		return path
	}
	x86 := of("linux/amd64")
	for name, test := range map[string]struct {
		plugin Plugin
		flags  string
		want   string // empty: XLA_FLAGS stays as it is
		told   string // in the only line, if any
	}{
		"nothing there":         {x86, "", "--xla_cpu_use_xnnpack=false", ""},
		"the user's flags":      {x86, "--xla_dump_to=/tmp/a", "--xla_dump_to=/tmp/a --xla_cpu_use_xnnpack=false", ""},
		"the user's own":        {x86, "--xla_cpu_use_xnnpack=true", "", ""},
		"there already":         {x86, "--xla_cpu_use_xnnpack=false", "", ""},
		"in a file":             {x86, file("--xla_cpu_use_xnnpack=0"), "", ""},
		"a file that lacks it":  {x86, file("--xla_dump_to=/tmp/a"), "", "write --xla_cpu_use_xnnpack=false into it; without it products are slower"},
		"where nobody measured": {of("linux/arm64"), "", "", ""},
		"another CPU library":   {Plugin{Kind: CPU, SHA256: sixtyFour}, "", "", ""},
		"no plugin":             {Plugin{Kind: Go}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			set, told, err := Environment(test.plugin, CUDAOptions{}, environment(map[string]string{xlaFlags: test.flags}))
			require.NoError(t, err)
			if test.want == "" {
				require.Empty(t, set)
			} else {
				require.Equal(t, []Variable{{xlaFlags, test.want}}, set)
			}
			requireTold(t, test.told, told)
		})
	}
}

// XLA ends the process at such a file, whatever plugin it is in.
func TestFileOfFlagsThatCannotBeRead(t *testing.T) {
	for _, kind := range []string{CPU, CUDA} {
		_, _, err := Environment(Plugin{Kind: kind}, CUDAOptions{TF32: true}, environment(map[string]string{xlaFlags: "/no/such/file"}))
		require.EqualError(t, err, "XLA_FLAGS names a file of flags, which cannot be read: open /no/such/file: no such file or directory")
	}
}

func TestAddFlag(t *testing.T) {
	for _, test := range []struct {
		flags          string
		value          bool
		want, conflict string
	}{
		{"", true, "--f=true", ""},
		{"", false, "--f=false", ""},
		{"--f", true, "", ""},
		{"--f", false, "", "--f"},
		{"--f=1", true, "", ""},
		{"--f=0", true, "", "--f=0"},
		{"--f=0", false, "", ""},
		{"--f=false --f=true", false, "", "--f=true"},
		{"--f=what", true, "", "--f=what"},
		{"--ff=true", true, "--ff=true --f=true", ""},
	} {
		flags, err := readFlags(environment(map[string]string{xlaFlags: test.flags}))
		require.NoError(t, err)
		more, conflict, err := flags.with("--f", test.value)
		require.NoError(t, err)
		require.Equal(t, test.want, more, "%+v", test)
		require.Equal(t, test.conflict, conflict, "%+v", test)
	}
}

// environment is one that has these variables.
func environment(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, said := variables[name]
		return value, said
	}
}

// requireTold holds told to one line that contains want, or, where that is empty, to none.
func requireTold(t *testing.T, want string, told []string) {
	t.Helper()
	if want == "" {
		require.Empty(t, told)
		return
	}
	require.Len(t, told, 1)
	require.Contains(t, told[0], want)
}
