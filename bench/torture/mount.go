package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mayMount says whether this process may mount file systems, as root may outside of
// most containers.
func (b *bench) mayMount() bool {
	dir := filepath.Join(b.dir, "mounts")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		return false
	}
	return unix.Unmount(dir, unix.MNT_DETACH) == nil
}

// onTmpfs attacks runs below a small file system of their own.
func (b *bench) onTmpfs(n int, options string, r func(i int) recipe, attack func(t *try) error) outcome {
	if !b.mayMount() {
		return outcome{seen: "not tried: only root may mount"}
	}
	return b.tries(n, r, func(t *try) (err error) {
		runs := filepath.Join(t.dir, "runs")
		if err := os.Mkdir(runs, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", runs, "tmpfs", 0, options); err != nil {
			return fmt.Errorf("mount a tmpfs: %w", err)
		}
		defer func() {
			if err != nil { // kept for whoever looks into it
				err = errors.Join(err, copyTree(runs, filepath.Join(t.dir, "runs-kept")))
			}
			err = errors.Join(err, unix.Unmount(runs, unix.MNT_DETACH))
		}()
		return attack(t)
	})
}
