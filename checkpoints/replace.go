package checkpoints

import (
	"errors"
	"os"
	"path/filepath"
)

// tmpSuffix marks what is not finished, or is about to be removed.
const tmpSuffix = ".tmp"

// replaceFile puts data at path so that a crash leaves the old content or the new.
//
// Without the sync before the rename the new name may point to an empty file after
// a power failure, and without that of the directory the rename itself may be lost.
func replaceFile(path string, data []byte) error {
	tmp := path + tmpSuffix
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := writeSynced(tmp, data); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(filepath.Dir(path))
}

// writeSynced makes a new file and returns when its bytes are on disk.
func writeSynced(path string, data []byte) error {
	return createSynced(path, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
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

// syncDir makes the names in dir as durable as the files they name.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
