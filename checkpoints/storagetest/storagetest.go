// Package storagetest gives tests places that cannot be written to: file systems with
// few bytes or few inodes, read-only ones, and a user to whom permissions apply. What
// it needs it gets in processes of their own, so that nothing is left mounted.
package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// againVariable names, in a process that InAnotherProcess started, the test that it is for.
const againVariable = "TEST_IN_ANOTHER_PROCESS"

// InAnotherProcess runs the calling test again in a process that differs in what attr
// says, the first of attrs that can be had, and fails as it does. It returns true in
// that process, where the test is to go on, and false in the one that has waited for it.
func InAnotherProcess(t *testing.T, attrs ...*syscall.SysProcAttr) bool {
	if os.Getenv(againVariable) == t.Name() {
		return true
	}
	var err error
	// It ends with this process, which may run out of time. The kernel goes by the thread
	// that starts it, which has to stay until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, attr := range attrs {
		// By this name it starts whatever directory the test binary is in.
		cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^"+t.Name()+"$") // #nosec G204 -- the test itself
		attr.Pdeathsig = syscall.SIGKILL
		cmd.Dir, cmd.SysProcAttr = "/", attr
		cmd.Env = append(os.Environ(), againVariable+"="+t.Name())
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err = cmd.Start(); err != nil {
			continue
		}
		require.NoError(t, cmd.Wait(), "%s", out.String())
		if bytes.Contains(out.Bytes(), []byte("--- SKIP")) {
			t.Skip(out.String())
		}
		require.Contains(t, out.String(), "--- PASS: "+t.Name())
		return false
	}
	t.Skipf("no process with other rights can be started here (%v); those that run into a file size limit need none", err)
	return false
}

// Nobody is the user and group without any privilege.
const Nobody = 65534

// WithoutPrivileges runs the calling test as a user to whom permissions apply, if need
// be in another process. It returns true where the test is to go on.
func WithoutPrivileges(t *testing.T) bool {
	if os.Getuid() != 0 {
		return true
	}
	return InAnotherProcess(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: Nobody, Gid: Nobody}})
}

// InOwnMounts runs the calling test in another process that may mount, and whose mounts
// nobody else sees: as root, or as one who is root in a namespace of their own. It
// returns true where the test is to go on. Where neither is allowed the test is skipped:
// those that run into a file size limit need no mount.
func InOwnMounts(t *testing.T) bool {
	id := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	group := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	return InAnotherProcess(t,
		&syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS},
		&syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER, UidMappings: id, GidMappings: group})
}

// Tmpfs mounts a file system in memory with the given options, "size=1m", in a process
// of InOwnMounts, and returns where.
func Tmpfs(t *testing.T, options string) string {
	dir := t.TempDir()
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", dir, "tmpfs", 0, options)
	}
	if errors.Is(err, unix.EPERM) {
		t.Skip("a test may not mount here; those that run into a file size limit need no mount")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// Remount changes the options of a file system, "ro" among them, that Tmpfs has mounted.
func Remount(t *testing.T, dir, options string) {
	flags := uintptr(unix.MS_REMOUNT)
	if options == "ro" {
		flags, options = flags|unix.MS_RDONLY, ""
	}
	require.NoError(t, unix.Mount("", dir, "", flags, options))
}

// Fill fills a file system with files of size bytes, 0 where it is inodes that are few,
// and returns them: each that is removed makes room for as much.
func Fill(t *testing.T, dir string, size int) []string {
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "ballast"), 0o777))
	var files []string
	for {
		path := filepath.Join(dir, "ballast", fmt.Sprint(len(files)))
		if err := os.WriteFile(path, make([]byte, size), 0o666); err != nil {
			require.ErrorIs(t, err, unix.ENOSPC)
			_ = os.Remove(path) // what there was room for
			return files
		}
		files = append(files, path)
	}
}
