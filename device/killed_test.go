package device

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain is also the process that TestInstallKilled kills: it installs one
// library after the other until it is gone; and the one that [inChild] starts.
func TestMain(m *testing.M) {
	if path := os.Getenv("FCNX_TEST_TRY"); path != "" {
		if err := Try(path, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	dir := os.Getenv("FCNX_TEST_INSTALL_INTO")
	if dir == "" {
		os.Exit(m.Run())
	}
	for i := 0; ; i++ {
		from := os.Args[1+i%2]
		if _, _, err := (&Store{Dir: dir}).Install(context.Background(), InstallOptions{Kind: CPU, From: from, Force: true}); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		if i == 0 {
			os.Stdout.WriteString("installed\n")
		}
	}
}

// A process that is killed at any moment leaves one plugin or the other, or none.
func TestInstallKilled(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	libraries := []string{fakeLibrary(t, "GetPjrtApi"), fakeLibrary(t, "GetPjrtApi")}
	// Two of different bytes, so that one's library with the other's record is seen.
	second, err := os.OpenFile(libraries[1], os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = second.WriteString("another")
	require.NoError(t, err)
	require.NoError(t, second.Close())

	rng := rand.New(rand.NewPCG(1, 2))
	var whole, none int
	for range 40 {
		cmd := exec.Command(os.Args[0], libraries...)
		cmd.Env = append(os.Environ(), "FCNX_TEST_INSTALL_INTO="+s.Dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = out.Read(make([]byte, 1)) // it is past the first one
		require.NoError(t, err)
		time.Sleep(time.Duration(rng.IntN(20000)) * time.Microsecond)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())

		switch p, err := s.Verify(t.Context(), CPU); {
		case err == nil:
			require.Contains(t, libraries, p.Source)
			whole++
		case errors.Is(err, ErrNotInstalled):
			none++
		default:
			t.Fatalf("half a plugin is taken for one: %v", err)
		}
	}
	t.Logf("%d whole, %d none", whole, none)
	require.Positive(t, whole)
}
