package checkpoints

import (
	"errors"
	"os"
	"path/filepath"
)

// tmpSuffix marks what is not finished, or is about to be removed.
const tmpSuffix = ".tmp"

// ReplaceFile puts what write writes at path, so that a crash or an error leaves the
// old file or the new one.
//
// Without the sync before the rename the new name may point to an empty file after
// a power failure, and without that of the directory the rename itself may be lost.
func ReplaceFile(path string, write func(f *os.File) error) error {
	tmp := path + tmpSuffix
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	err := createSynced(tmp, write)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return syncDir(filepath.Dir(path))
}

// createSynced makes a new file, lets write fill it, and returns when its bytes
// are on disk.
func createSynced(path string, write func(f *os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// content is for files whose bytes are known beforehand.
func content(data []byte) func(f *os.File) error {
	return func(f *os.File) error {
		_, err := f.Write(data)
		return err
	}
}

// syncDir makes the names in dir as durable as the files they name.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
