package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// verify reads the whole library and compares it with the record.
func (p Plugin) verify(ctx context.Context) error {
	info, err := os.Stat(p.Path)
	if err != nil {
		return fmt.Errorf("the %s plugin is recorded but its library is not there: %w; `fcnx plugins install --force %s` brings it back", p.Kind, err, p.Kind)
	}
	if info.Size() != p.Size {
		return fmt.Errorf("%s has %d bytes where %d were installed; it was not opened; `fcnx plugins install --force %s` replaces it", p.Path, info.Size(), p.Size, p.Kind)
	}
	sum, err := hashFile(ctx, p.Path)
	if err != nil {
		return err
	}
	if sum != p.SHA256 {
		return fmt.Errorf("%s is not the file that was installed: its sha256 is %s, recorded is %s; it was not opened; `fcnx plugins install --force %s` replaces it", p.Path, sum, p.SHA256, p.Kind)
	}
	return nil
}

// discard removes the record and then what the store holds of the plugin. It is
// called with the lock held.
func (s *Store) discard(kind string) error {
	if err := os.Remove(s.recordPath(kind)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncDir(s.Dir); err != nil {
		return err
	}
	if kind == CUDA {
		return os.RemoveAll(filepath.Join(s.Dir, "cuda"))
	}
	if err := os.Remove(s.libraryPath(kind)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeRecord writes a record so that it is there whole or not at all.
func (s *Store) writeRecord(p Plugin) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	// The library's own name has to be on the disk before the record of it.
	if err := syncDir(s.Dir); err != nil {
		return err
	}
	draft := s.recordPath(p.Kind) + ".tmp"
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	if _, _, err := writeSynced(context.Background(), draft, bytes.NewReader(append(text, '\n'))); err != nil {
		return err
	}
	if err := os.Rename(draft, s.recordPath(p.Kind)); err != nil {
		return err
	}
	return syncDir(s.Dir)
}

// syncDir makes renames and removals in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// syncTree brings everything to disk that was written to the file system of dir:
// pip unpacks hundreds of files and syncs none of them.
func syncTree(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(d.Fd())))
}
