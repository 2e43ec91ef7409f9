package device

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCPUEnvironment(t *testing.T) {
	pinned, err := cpuWheel("linux/amd64")
	require.NoError(t, err)
	plugin := Plugin{Kind: CPU, SHA256: pinned.library}
	for name, test := range map[string]struct {
		plugin Plugin
		flags  string
		want   string // empty: XLA_FLAGS stays as it is
	}{
		"nothing there":       {plugin, "", "--xla_cpu_use_xnnpack=false"},
		"the user's flags":    {plugin, "--xla_dump_to=/tmp/a", "--xla_dump_to=/tmp/a --xla_cpu_use_xnnpack=false"},
		"the user's own":      {plugin, "--xla_cpu_use_xnnpack=true", ""},
		"its short form":      {plugin, "--xla_cpu_use_xnnpack", ""},
		"there already":       {plugin, "--xla_cpu_use_xnnpack=false", ""},
		"a file of flags":     {plugin, "/no/such/file", ""},
		"another CPU library": {Plugin{Kind: CPU, SHA256: sixtyFour}, "", ""},
		"no plugin":           {Plugin{Kind: Go}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			set, told, err := Environment(test.plugin, CUDAOptions{}, func(name string) (string, bool) {
				return test.flags, name == xlaFlags && test.flags != ""
			})
			require.NoError(t, err)
			require.Empty(t, told)
			if test.want == "" {
				require.Empty(t, set)
			} else {
				require.Equal(t, []Variable{{xlaFlags, test.want}}, set)
			}
		})
	}
}
