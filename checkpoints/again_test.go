package checkpoints

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// againVariable names, in a process that inAnotherProcess started, the test that it is for.
const againVariable = "FCNX_TEST_AGAIN"

// inAnotherProcess runs the calling test again in a process that differs in what attr
// says, and fails as it does. It returns true in that process, where the test is to
// go on, and false in the one that has waited for it.
func inAnotherProcess(t *testing.T, attrs ...*syscall.SysProcAttr) bool {
	if os.Getenv(againVariable) == t.Name() {
		return true
	}
	var err error
	for _, attr := range attrs {
		// By this name it starts whatever directory the test binary is in.
		cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^"+t.Name()+"$")
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
	t.Skipf("no such process can be started here: %v", err)
	return false
}

// withoutPrivileges runs the calling test as a user to whom permissions apply.
func withoutPrivileges(t *testing.T) bool {
	if os.Getuid() != 0 {
		return true
	}
	const nobody = 65534
	return inAnotherProcess(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}})
}

// inOwnMounts runs the calling test where it may mount, and what it mounts is seen by
// nobody else: as root, or as one who is root in a namespace of their own. Where
// neither is allowed, TestSaveWithoutSpace still runs into a file size limit.
func inOwnMounts(t *testing.T) bool {
	id := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	group := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	return inAnotherProcess(t,
		&syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS},
		&syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER, UidMappings: id, GidMappings: group})
}

// tmpfs mounts a file system in memory with the given options, "size=1m", in a process
// of inOwnMounts.
func tmpfs(t *testing.T, options string) string {
	dir := t.TempDir()
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", dir, "tmpfs", 0, options)
	}
	if errors.Is(err, unix.EPERM) {
		t.Skip("a test may not mount here")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}
