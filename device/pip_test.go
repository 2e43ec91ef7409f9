package device

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// The texts are what real pips of version 20 to 23 printed.
func TestPipFailures(t *testing.T) {
	const noMatch = "ERROR: Could not find a version that satisfies the requirement xla-cpu-pjrt==0.0.1 (from versions: none)\nERROR: No matching distribution found for xla-cpu-pjrt==0.0.1"
	for _, c := range []struct {
		name, says, want string
	}{
		{"no pip", "/usr/bin/python3: No module named pip",
			"has no pip, which fetches the plugin; install it with `apt-get install python3-pip`"},
		{"another hash", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package versions, please update the hashes.\n        Expected sha256 55837\n             Got        11cdd",
			"served a file with another sha256 than the one that fcnx knows, and it was not installed"},
		{"disk full", "ERROR: Exception:\nTraceback (most recent call last):\n  File \"x.py\", line 1, in f\nOSError: [Errno 28] No space left on device",
			"the disk is full (No space left on device); make room"},
		{"no name", "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x>: Failed to establish a new connection: [Errno -2] Name or service not known')': /simple/xla-cpu-pjrt/\n" + noMatch,
			"pip cannot reach the package index (Name or service not known); connect this machine"},
		{"refused", "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/xla-cpu-pjrt/\n" + noMatch,
			"pip cannot reach the package index (Connection refused)"},
		{"certificate", "WARNING: Retrying (Retry(total=0)) after connection broken by 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))'\n" + noMatch,
			"a certificate that this machine does not trust"},
		{"not in the index", noMatch, "the package index does not have it, or was not reached"},
		{"permission", "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'",
			"pip may not write where it has to: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'"},
		{"anything else", "WARNING: one\nERROR: two\nthree", "-m pip failed (exit status 1): two"},
		{"nothing", "", "-m pip failed (exit status 1) and did not say why"},
	} {
		t.Run(c.name, func(t *testing.T) {
			words := filepath.Join(t.TempDir(), "words")
			require.NoError(t, os.WriteFile(words, []byte(c.says), 0o644))
			fakePython(t, "cat "+words+" >&2", "exit 1")
			s := &Store{Dir: t.TempDir()}
			_, _, err := s.Install(t.Context(), InstallOptions{Kind: CPU})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "fetching xla-cpu-pjrt 0.0.1: ")
			require.NotContains(t, err.Error(), "{", "a placeholder is left")
			require.Empty(t, visible(t, s))
		})
	}
}

func TestNoPython(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, _, err := (&Store{Dir: t.TempDir()}).Install(t.Context(), InstallOptions{Kind: CPU})
	require.ErrorContains(t, err, "python3, whose pip fetches the plugin, is not on PATH; install both with `apt-get install python3-pip`")
}

// A pip that claims success and leaves the wrong file behind is not believed.
func TestPipIsNotBelieved(t *testing.T) {
	pin, err := cpuWheel(thisMachine())
	require.NoError(t, err)
	fakePython(t, "echo other > "+pin.file)
	s := &Store{Dir: t.TempDir()}
	_, _, err = s.Install(t.Context(), InstallOptions{Kind: CPU})
	require.ErrorContains(t, err, "has the name of the pinned wheel but its sha256 is")
	require.Empty(t, visible(t, s))

	fakePython(t, "exit 0")
	_, _, err = s.Install(t.Context(), InstallOptions{Kind: CPU})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Empty(t, visible(t, s))
}

// The real pip takes our arguments, and refuses a file by the right name with
// other bytes. No network is needed for it.
func TestRealPipChecksTheHash(t *testing.T) {
	if err := exec.Command("python3", "-m", "pip", "--version").Run(); err != nil {
		t.Skipf("no pip here: %v", err)
	}
	pin, err := cpuWheel(thisMachine())
	require.NoError(t, err)
	wheel := fakeWheel(t, pin.file, map[string]string{
		"xla_cpu_pjrt-0.0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: xla-cpu-pjrt\nVersion: 0.0.1\n",
		"xla_cpu_pjrt-0.0.1.dist-info/WHEEL":    "Wheel-Version: 1.0\n",
	})
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", filepath.Dir(wheel))
	s := &Store{Dir: t.TempDir()}
	_, _, err = s.Install(t.Context(), InstallOptions{Kind: CPU})
	require.ErrorContains(t, err, "served a file with another sha256 than the one that fcnx knows")
	require.Empty(t, visible(t, s))
}

func TestFromJAX(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	fakePython(t, "exit 0")
	_, _, err := s.Install(t.Context(), InstallOptions{Kind: CUDA, From: "jax"})
	require.ErrorContains(t, err, "has no JAX for CUDA; `python3 -m pip install \"jax[cuda13]\"` installs it")

	fakePython(t, `echo "ModuleNotFoundError: No module named 'importlib'" >&2`, "exit 1")
	_, _, err = s.Install(t.Context(), InstallOptions{Kind: CUDA, From: "jax"})
	require.ErrorContains(t, err, "asking ")
	require.ErrorContains(t, err, "No module named 'importlib'")
}

// A real Python finds the plugin in a folder laid out as JAX's packages are, and
// the newest CUDA wins.
func TestFromJAXOfARealPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skipf("no python3 here: %v", err)
	}
	site := t.TempDir()
	content, err := os.ReadFile(fakeLibrary(t, "GetPjrtApi"))
	require.NoError(t, err)
	for _, cuda := range []string{"cuda12", "cuda13"} {
		dir := filepath.Join(site, "jax_plugins", "xla_"+cuda)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "xla_cuda_plugin.so"), append(content, cuda...), 0o644))
	}
	info := filepath.Join(site, "jax_cuda13_pjrt-9.8.7.dist-info")
	require.NoError(t, os.Mkdir(info, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(info, "METADATA"), []byte("Metadata-Version: 2.1\nName: jax-cuda13-pjrt\nVersion: 9.8.7\n"), 0o644))
	t.Setenv("PYTHONPATH", site)

	s := &Store{Dir: t.TempDir()}
	p, _, err := s.Install(t.Context(), InstallOptions{Kind: CUDA, From: "jax"})
	require.NoError(t, err)
	require.Equal(t, "jax-cuda13-pjrt", p.Package)
	require.Equal(t, "9.8.7", p.Version)
	require.Equal(t, filepath.Join(site, "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so"), p.Path)
	require.Equal(t, []string{"pjrt_c_api_cuda_plugin.json"}, visible(t, s), "the library stays where it is")
	_, err = s.Verify(t.Context(), CUDA)
	require.NoError(t, err)

	// An upgrade of JAX is another library: it is not opened before it was recorded.
	require.NoError(t, os.WriteFile(p.Path, append(content, "cuda14"...), 0o644))
	_, err = s.Verify(t.Context(), CUDA)
	require.ErrorContains(t, err, "is not the file that was installed")
}

// What another program prints becomes one sentence, or a path that is one.
func FuzzPython(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte("Collecting a\nERROR: Exception:\nTraceback\nValueError: b"))
	f.Add([]byte("ERROR: No matching distribution found"))
	f.Add([]byte(`{"path":"/a/b.so","package":"jax-cuda13-pjrt","version":"1"}` + "\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		memtest.Bound{Any: 256 << 10, PerByte: 256}.Within(t, len(said), func() {
			text := pipFailure("python3", string(said), errors.New("exit status 1"), wheelElsewhere).Error()
			require.NotEmpty(t, text)
			require.NotContains(t, text, "\n")
			p, found, err := newestJAX(said)
			if err == nil && found {
				require.True(t, filepath.IsAbs(p.Path))
			}
			if err := trialAnswer(append([]byte("\n"+trialWord+"no "), said...)); err != nil {
				require.NotContains(t, err.Error(), "\n")
			}
		})
	})
}
