package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints/weights/pth"
)

const pthFixtures = "../../checkpoints/weights/pth/testdata/"

// The other process reads what this one does, and its errors are the same.
func TestIndexInChild(t *testing.T) {
	paths, err := filepath.Glob(pthFixtures + "*.pth")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		here, wantErr := pth.Open(path, pth.InProcess)
		there, err := pth.Open(path, indexInChild(t.Context()))
		if wantErr != nil {
			require.EqualError(t, err, wantErr.Error())
			require.Contains(t, err.Error(), path+": ")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, here.Infos(), there.Infos())
		require.Equal(t, here.Entry(), there.Entry())
		require.NoError(t, here.Close())
		require.NoError(t, there.Close())
	}
}

// askShell lets a shell be the other process.
func askShell(t *testing.T, ctx context.Context, script string) error {
	f, err := os.Open(pthFixtures + "views-zip.pth")
	require.NoError(t, err)
	defer f.Close()
	_, err = askForIndex(ctx, exec.CommandContext(ctx, "/bin/sh", "-c", script), f)
	return err
}

// However the other process ends, it is an error.
func TestIndexChildMisbehaves(t *testing.T) {
	for script, want := range map[string]string{
		"exit 0":                        "gave none",
		"exit 3":                        "ended with exit status 3",
		"echo oh, dear >&2; exit 2":     `ended with exit status 2: "oh, dear"`,
		"kill -9 $$":                    "ended with signal: killed",
		"kill -SEGV $$":                 "ended with signal: segmentation fault",
		"echo hello":                    "gave none: invalid character",
		"echo '{}'":                     "gave none",
		`echo '{"error": "it is odd"}'`: "it is odd",
		"yes":                           "its index would have more than",
		"exec yes >&2":                  "ended with ", // SIGPIPE, or an exit status where a run in this process ignores that
		"echo 'fatal error: runtime: out of memory' >&2; exit 2": "reading its index took more than 1024 MiB",
	} {
		require.ErrorContains(t, askShell(t, t.Context(), script), want, script)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("it took too long"))
	defer cancel()
	require.EqualError(t, askShell(t, ctx, "exec sleep 600"), "it took too long")

	// An index that does not fit the file is refused by whoever asked.
	_, err := pth.Open(pthFixtures+"views-zip.pth", func(f *os.File) (pth.Index, error) {
		return askForIndex(t.Context(), exec.Command("/bin/sh", "-c",
			`echo '{"index": {"storages": [{"offset": 0, "size": 4611686018427387904}]}}'`), f)
	})
	require.ErrorContains(t, err, "does not lie in the file")
}

// The limits hold, in a process that does what a reader that was tricked could do.
func TestIndexChildIsLimited(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for what, want := range map[string]string{
		"allocates": "out of memory",
		"opens":     "too many open files",
		"writes":    "too many open files",
		"nothing":   "still here",
	} {
		cmd := exec.Command(self)
		cmd.Args = []string{"limited", what}
		out, err := cmd.CombinedOutput()
		require.Contains(t, string(out), want, what)
		require.Equal(t, what == "allocates", err != nil, what)
	}
	cmd := exec.Command(self)
	cmd.Args = []string{"limited", "computes"}
	err = cmd.Run()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal())
}

// limited is the program that TestIndexChildIsLimited runs: it limits itself, but for a
// second of CPU time, and does what it is told.
func limited() {
	if err := limitProcess(pthMemory, 1); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var err error
	switch strings.Join(os.Args[1:], " ") {
	case "allocates":
		var all [][]byte
		for range 64 {
			all = append(all, make([]byte, 32<<20))
		}
		fmt.Println(len(all))
	case "opens":
		_, err = os.Open("/dev/null")
	case "writes":
		_, err = os.CreateTemp("", "fcnx-*")
	case "computes":
		for time.Now().Before(time.Unix(1<<40, 0)) { // until its time has run out
		}
	}
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println("still here")
	os.Exit(0)
}
