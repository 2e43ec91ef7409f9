package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// mounted runs f on a thread that has a mount namespace of its own. What f mounts, only
// this thread sees and the processes that it starts; and it is gone with the thread, even
// when this process is killed.
func mounted(f func() error) error {
	done := make(chan error)
	go func() {
		// It is never unlocked: so the thread ends with this goroutine.
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// mounting attacks runs whose attack may mount file systems, as root may outside of
// most containers.
func (b *bench) mounting(n int, r func(i int) recipe, attack func(t *try) error) outcome {
	dir := filepath.Join(b.dir, "mounts")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return b.broken(err)
	}
	if mounted(func() error { return unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k") }) != nil {
		return outcome{seen: "not tried: only root may mount"}
	}
	return b.tries(n, r, func(t *try) error {
		return mounted(func() error { return attack(t) })
	})
}

// onTmpfs attacks runs below a small file system of their own.
func (b *bench) onTmpfs(n int, options string, r func(i int) recipe, attack func(t *try) error) outcome {
	return b.mounting(n, r, func(t *try) error {
		runs := filepath.Join(t.dir, "runs")
		if err := os.Mkdir(runs, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", runs, "tmpfs", 0, options); err != nil {
			return fmt.Errorf("mount a tmpfs: %w", err)
		}
		err := attack(t)
		if err != nil { // kept for whoever looks into it
			err = errors.Join(err, copyTree(runs, filepath.Join(t.dir, "runs-kept")))
		}
		return err
	})
}
