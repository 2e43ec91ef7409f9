package devicetest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

// What is missing is said in one sentence, whichever thing it is.
func TestWhatIsMissing(t *testing.T) {
	if len(device.GPUs()) > 0 {
		t.Skip("this machine has a GPU; this test is about machines without one")
	}
	_, err := Open("gpu", 1)
	require.EqualError(t, err, "FCNX_TEST_BACKEND=gpu: tests compute on cpu or cuda")

	user, err := device.Default(os.Getenv)
	require.NoError(t, err)
	t.Setenv("FCNX_PLUGINS_DIR", t.TempDir())
	_, err = Open(device.CUDA, 1)
	require.ErrorIs(t, err, device.ErrNoBackend)
	require.Regexp(t, "^FCNX_TEST_BACKEND=cuda: the cuda plugin is not installed in .*; `fcnx plugins install cuda` installs it; "+
		"and there is no GPU for it \\(no /dev/nvidia0\\)$", err.Error())

	if _, err := user.Find(device.CUDA); err != nil {
		t.Logf("what a plugin without a card says is left out: %v", err)
		return
	}
	t.Setenv("FCNX_PLUGINS_DIR", user.Dir)
	_, err = Open(device.CUDA, 1)
	require.ErrorIs(t, err, device.ErrNoBackend)
	require.Regexp(t, "^FCNX_TEST_BACKEND=cuda: .*no (card|NVIDIA driver)", err.Error())
}

// XLA's CPU library under the name of a CUDA plugin stands for a card, which shows that
// tests compute where they are told to.
func TestTestsComputeWhereTheyAreTold(t *testing.T) {
	user, err := device.Default(os.Getenv)
	require.NoError(t, err)
	p, err := user.Find(device.CPU)
	require.NoError(t, err)
	library := filepath.Join(t.TempDir(), "xla_cuda_plugin.so")
	require.NoError(t, os.Symlink(p.Path, library))
	t.Setenv("FCNX_PLUGINS_DIR", t.TempDir())
	store, err := device.Default(os.Getenv)
	require.NoError(t, err)
	_, _, err = store.Install(t.Context(), device.InstallOptions{Kind: device.CUDA, From: library})
	require.NoError(t, err)

	t.Setenv(Variable, "")
	require.Equal(t, device.CPU, Kind())
	require.Equal(t, 1e-5, Tolerance(1e-5))
	t.Setenv(Variable, "cuda")
	require.Equal(t, device.CUDA, Kind())
	require.Greater(t, Tolerance(1e-5), 1e-5)
	t.Setenv("XLA_FLAGS", "--xla_gpu_deterministic_ops=false")
	_, err = Open(Kind(), 1)
	require.ErrorContains(t, err, "of XLA_FLAGS stays as it is")

	for _, name := range []string{"XLA_FLAGS", "NVIDIA_TF32_OVERRIDE", "GOPJRT_CUDA_CHECKS"} {
		t.Setenv(name, "") // and as it was afterwards
		require.NoError(t, os.Unsetenv(name))
	}
	b, err := Open(Kind(), 1)
	require.NoError(t, err)
	defer b.Close()
	require.Equal(t, device.CUDA, b.Kind)
	require.Equal(t, library, b.Path)
	require.Equal(t, "--xla_gpu_deterministic_ops=true", os.Getenv("XLA_FLAGS"))
	require.Equal(t, "0", os.Getenv("NVIDIA_TF32_OVERRIDE"))
	_, err = device.Probe(b.Compute)
	require.NoError(t, err)
}
