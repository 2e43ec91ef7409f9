package device

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every line of the lock is one package with its version and one hash, pip's way to say
// that nothing else will do; the plugin is the one that fcnx knows.
func TestCUDALock(t *testing.T) {
	line := regexp.MustCompile(`^([a-z0-9-]+)==([0-9.]+) --hash=sha256:[0-9a-f]{64}$`)
	versions := map[string]string{}
	for text := range strings.Lines(string(cudaLock)) {
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		parts := line.FindStringSubmatch(text)
		require.NotNil(t, parts, "%q", text)
		require.NotContains(t, versions, parts[1])
		versions[parts[1]] = parts[2]
	}
	require.Equal(t, cudaVersion, versions[cudaPackage])
	require.Len(t, versions, 14, "the plugin and 13 packages of NVIDIA")
	require.NoError(t, checkCUDAName(filepath.Base(cudaMember)))
	require.Regexp(t, "^[0-9a-f]{64}$", cudaLibrary)
}

// What goes wrong while the lock is installed leaves nothing behind, and what pip is asked
// for is the lock, hashes and all.
func TestInstallCUDA(t *testing.T) {
	const target = `while [ "$1" != --target ]; do shift; done; target=$2`
	asked := filepath.Join(t.TempDir(), "asked")
	for name, test := range map[string]struct {
		script []string
		want   string
	}{
		"another hash": {[]string{`echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE." >&2`, "exit 1"},
			"fetching jax-cuda13-pjrt 0.12.0.1: the package index served a file with another sha256 than the one that fcnx knows, and it was not installed"},
		"no network": {[]string{`echo "WARNING: Retrying after connection broken by 'NewConnectionError: [Errno 111] Connection refused'" >&2`, "exit 1"},
			"pip cannot reach the package index (Connection refused); connect this machine, set PIP_INDEX_URL or HTTPS_PROXY, or use the plugin of a JAX that is installed, with --from jax"},
		"disk full": {[]string{`echo "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device" >&2`, "exit 1"},
			"the disk is full (No space left on device)"},
		"nothing there": {[]string{"exit 0"}, "xla_cuda_plugin.so: no such file or directory"},
		"another plugin": {[]string{target, `mkdir -p $target/jax_plugins/xla_cuda13`, `echo other > $target/` + cudaMember},
			"jax-cuda13-pjrt 0.12.0.1: the library in it has the sha256 "},
	} {
		t.Run(name, func(t *testing.T) {
			fakePython(t, append([]string{`echo "$@" > ` + asked, `cp cuda13.lock ` + asked + `.lock`}, test.script...)...)
			s := &Store{Dir: t.TempDir()}
			_, _, err := s.Install(t.Context(), InstallOptions{Kind: CUDA})
			if err != nil && strings.Contains(err.Error(), "the disk is too full") {
				t.Skipf("nothing is fetched where there is no room for it: %v", err)
			}
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n")
			require.Empty(t, visible(t, s))
			text, err := os.ReadFile(asked)
			require.NoError(t, err)
			require.Contains(t, string(text), "install --no-deps --require-hashes --only-binary=:all:")
			lock, err := os.ReadFile(asked + ".lock")
			require.NoError(t, err)
			require.Equal(t, string(cudaLock), string(lock))
		})
	}
}

// The plugin of the lock, where it is installed: it takes the options that fcnx gives it, and
// what it says then is about cards.
func TestCUDAPluginTakesTheSettings(t *testing.T) {
	s, err := Default(os.Getenv)
	require.NoError(t, err)
	if _, err := s.Find(CUDA); err != nil {
		t.Skipf("this is about a plugin of 2.5 GB, which only machines with a GPU have: %v", err)
	}
	t.Setenv(cudaChecksEnv, "no")
	b, err := Open(t.Context(), Options{Backend: CUDA, Store: s, CUDA: CUDAOptions{Preallocate: true, MemoryFraction: 0.25}})
	if err == nil {
		b.Close()
		return
	}
	require.ErrorIs(t, err, ErrNoBackend)
	require.Contains(t, err.Error(), "GPU")
	require.NotContains(t, err.Error(), "PJRT_Client_Create", "its word for an option that it does not know")
}
