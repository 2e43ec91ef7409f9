package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

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
