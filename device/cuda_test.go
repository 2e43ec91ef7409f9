package device

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/go-xla/compute/xla"
	"github.com/stretchr/testify/require"
)

func TestCUDAEnvironment(t *testing.T) {
	flags := filepath.Join(t.TempDir(), "flags")
	require.NoError(t, os.WriteFile(flags, []byte("--xla_dump_to=/tmp/a\n--xla_gpu_deterministic_ops=true\n"), 0o644))
	other := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.WriteFile(other, []byte("--xla_dump_to=/tmp/a"), 0o644))
	checks, noTF32 := Variable{"GOPJRT_CUDA_CHECKS", "no"}, Variable{"NVIDIA_TF32_OVERRIDE", "0"}
	fast, deterministic := CUDAOptions{TF32: true}, CUDAOptions{TF32: true, Deterministic: true}

	for name, test := range map[string]struct {
		options CUDAOptions
		env     map[string]string
		set     []Variable
		told    string // in the only line, if any
		err     string
	}{
		"nothing asked":        {fast, nil, []Variable{checks}, "", ""},
		"the user's flags":     {fast, map[string]string{"XLA_FLAGS": "--xla_dump_to=/tmp/a"}, []Variable{checks}, "", ""},
		"go-xla's checks":      {fast, map[string]string{"GOPJRT_CUDA_CHECKS": "yes"}, nil, "", ""},
		"no TF32":              {CUDAOptions{}, nil, []Variable{checks, noTF32}, "", ""},
		"no TF32, said before": {CUDAOptions{}, map[string]string{"NVIDIA_TF32_OVERRIDE": "0"}, []Variable{checks}, "", ""},
		"no TF32, but the user's": {CUDAOptions{}, map[string]string{"NVIDIA_TF32_OVERRIDE": "1"}, []Variable{checks},
			"NVIDIA_TF32_OVERRIDE=1 of the environment stays as it is, so device.tf32 = false may not hold", ""},
		"deterministic":       {deterministic, nil, []Variable{checks, {"XLA_FLAGS", "--xla_gpu_deterministic_ops=true"}}, "", ""},
		"an empty variable":   {deterministic, map[string]string{"XLA_FLAGS": " "}, []Variable{checks, {"XLA_FLAGS", "--xla_gpu_deterministic_ops=true"}}, "", ""},
		"added to the user's": {deterministic, map[string]string{"XLA_FLAGS": "--xla_dump_to=/tmp/a"}, []Variable{checks, {"XLA_FLAGS", "--xla_dump_to=/tmp/a --xla_gpu_deterministic_ops=true"}}, "", ""},
		"a longer name is another flag": {deterministic, map[string]string{"XLA_FLAGS": "--xla_gpu_deterministic_ops_too=1"},
			[]Variable{checks, {"XLA_FLAGS", "--xla_gpu_deterministic_ops_too=1 --xla_gpu_deterministic_ops=true"}}, "", ""},
		"there already":            {deterministic, map[string]string{"XLA_FLAGS": "--xla_gpu_deterministic_ops=true --xla_dump_to=/tmp/a"}, []Variable{checks}, "", ""},
		"there without a value":    {deterministic, map[string]string{"XLA_FLAGS": "--xla_gpu_deterministic_ops"}, []Variable{checks}, "", ""},
		"the user's last one wins": {deterministic, map[string]string{"XLA_FLAGS": "--xla_gpu_deterministic_ops=false --xla_gpu_deterministic_ops=1"}, []Variable{checks}, "", ""},
		"the user's own": {deterministic, map[string]string{"XLA_FLAGS": "--xla_gpu_deterministic_ops=false"}, []Variable{checks},
			"--xla_gpu_deterministic_ops=false of XLA_FLAGS stays as it is, so device.deterministic = true does not hold", ""},
		"in a file":                     {deterministic, map[string]string{"XLA_FLAGS": flags}, []Variable{checks}, "", ""},
		"a file that lacks it":          {deterministic, map[string]string{"XLA_FLAGS": other}, nil, "", "to which nothing is added; write --xla_gpu_deterministic_ops=true into it"},
		"a file that is not there":      {deterministic, map[string]string{"XLA_FLAGS": other + "x"}, nil, "", "names a file of flags, which cannot be read"},
		"a file where nothing is added": {fast, map[string]string{"XLA_FLAGS": other}, []Variable{checks}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			set, told, err := Environment(Plugin{Kind: CUDA}, test.options, environment(test.env))
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.set, set)
			requireTold(t, test.told, told)
		})
	}
}

// The words of the kernel are those of real drivers; of what the plugin says, the first
// was seen without a card.
func TestNoGPU(t *testing.T) {
	const (
		none  = `while creating plugin: PJRT error (code=9): No visible GPU devices.`
		short = `PJRT error (code=8): RESOURCE_EXHAUSTED: Out of memory`
		node  = "/dev/nvidia0"
		v470  = "NVIDIA UNIX x86_64 Kernel Module 470.223.02 Sat Oct 7 15:39:11 UTC 2023"
		v535  = "NVIDIA UNIX x86_64 Kernel Module 535.183.01 Sun May 12 19:39:15 UTC 2024"
		v580  = "NVIDIA UNIX Open Kernel Module for x86_64 580.82.07 Release Build (dvs-builder)"
	)
	locked, cuda12 := Plugin{Kind: CUDA, Package: cudaPackage}, Plugin{Kind: CUDA, Package: "jax-cuda12-pjrt"}
	for name, test := range map[string]struct {
		machine machine
		plugin  Plugin
		reason  string
		want    string
	}{
		"nothing":           {machine{}, locked, none, "this machine has no NVIDIA driver (no /proc/driver/nvidia) and no card (no /dev/nvidia0); install driver 580 or newer"},
		"nothing, CUDA 12":  {machine{}, cuda12, none, "install driver 525 or newer"},
		"old driver":        {machine{driver: v535, nodes: []string{node}}, locked, none, "the NVIDIA driver 535.183.01 is too old for the cuda plugin, which needs 580 or newer; update the driver, or compute on another backend"},
		"old for CUDA 12":   {machine{driver: v470, nodes: []string{node}}, cuda12, none, "the NVIDIA driver 470.223.02 is too old for the cuda plugin, which needs 525 or newer"},
		"fine for CUDA 12":  {machine{driver: v535, nodes: []string{node}}, cuda12, none, "found no GPU that it can use: " + none},
		"driver, no card":   {machine{driver: v580}, locked, none, "the driver 580.82.07 is loaded but shows no card (no /dev/nvidia0); give the container its GPUs"},
		"hidden":            {machine{driver: v580, nodes: []string{node}, limited: true}, locked, none, `CUDA_VISIBLE_DEVICES="" hides all 1 of them; unset it`},
		"hidden by -1":      {machine{driver: v580, nodes: []string{node}, limited: true, visible: "-1"}, locked, none, `CUDA_VISIBLE_DEVICES="-1" hides all 1 of them`},
		"chosen":            {machine{driver: v580, nodes: []string{node}, limited: true, visible: "7"}, locked, none, none},
		"WSL":               {machine{nodes: []string{"/dev/dxg"}}, locked, none, none},
		"something else":    {machine{driver: v580, nodes: []string{node}}, locked, short, short},
		"not told by nodes": {machine{}, locked, short, short},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.machine.noGPU(test.plugin, test.reason)
			require.Contains(t, got, test.want)
			require.NotContains(t, got, "\n")
		})
	}
}

// What goes to go-xla for the cuda backend: XLA's CPU library, by the name of a CUDA
// plugin, takes it all and computes.
func TestCUDASettingsReachGoXLA(t *testing.T) {
	p, err := installed(t).Find(CPU)
	require.NoError(t, err)
	s := &Store{Dir: t.TempDir()}
	p.Kind, p.Path = CUDA, linkAs(t, p.Path, "xla_cuda_plugin.so")
	require.NoError(t, s.writeRecord(p))

	t.Setenv(cudaChecksEnv, "no")
	for _, tf32 := range []bool{true, false} {
		var prepared []string
		b := open(t, Options{Backend: CUDA, Store: s, CUDA: CUDAOptions{TF32: tf32, Preallocate: true, MemoryFraction: 0.5},
			Prepare: func(p Plugin) error { prepared = append(prepared, p.Kind); return nil }})
		require.Equal(t, []string{CUDA}, prepared)
		x := b.Compute.(*xla.Backend)
		require.True(t, x.IsCUDA())
		require.False(t, x.IsCPU())
		require.Equal(t, tf32, x.DotGeneralUseTF32)
		_, err = Probe(b.Compute)
		require.NoError(t, err)
	}

	_, err = Open(t.Context(), Options{Backend: CUDA, Store: s, Prepare: func(Plugin) error { return os.ErrInvalid }})
	require.ErrorIs(t, err, os.ErrInvalid)
	require.NotErrorIs(t, err, ErrNoBackend)
}

// A name by which go-xla would take the plugin for another, however it came into the
// record.
func TestCUDAName(t *testing.T) {
	for file, ok := range map[string]bool{
		"xla_cuda_plugin.so": true, "pjrt_c_api_cuda_plugin.so": true, "libNVIDIA.so": true,
		"plugin.so": false, "cuda_cpu.so": false, "cuda,tf32=1.so": false,
	} {
		require.Equal(t, ok, checkCUDAName(file) == nil, file)
	}
	p, err := installed(t).Find(CPU)
	require.NoError(t, err)
	s := &Store{Dir: t.TempDir()}
	p.Kind, p.Path = CUDA, linkAs(t, p.Path, "plugin.so")
	require.NoError(t, s.writeRecord(p))
	_, err = Open(t.Context(), Options{Backend: CUDA, Store: s})
	require.ErrorIs(t, err, ErrNoBackend)
	require.ErrorContains(t, err, `"plugin.so": the file of a CUDA plugin has "cuda" in its name`)
}

func linkAs(t *testing.T, library, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.Symlink(library, path))
	return path
}
