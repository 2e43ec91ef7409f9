// Package checkpoints keeps what a run leaves on disk: the run directory, and in
// it checkpoints that are either whole or not there.
//
//	runs/NAME/
//	  config.toml         the whole resolved configuration
//	  events.jsonl        what the run said, one record a line
//	  log.txt             everything else
//	  preview/            small pictures of validation samples
//	  control.jsonl       what people asked of it while it went on
//	  step-000000001200/  variables.safetensors and meta.json
//	  LAST  BEST          names of checkpoints, for people and scripts
//	  lock                held while a process writes the run
//
// A checkpoint is written beside its place, synced and renamed, and checked
// against its sha256 before a byte of it is used: a process killed at any moment
// loses at most the checkpoint it was writing, and a flipped bit is found, never
// trained on. See docs/checkpoints.md.
//
// The package knows bytes, names and shapes. It knows nothing of networks or
// training, and imports no GoMLX.
package checkpoints

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Run is a run directory. Anyone may read it; one process at a time, the one that
// holds its lock, may write.
type Run struct {
	Dir  string
	lock *os.File // nil while this process only reads
}

// TakenError is what [Create] says of a directory that is not empty.
type TakenError struct{ text string }

func (e *TakenError) Error() string { return e.text }

// Create makes the run directory dir, with its parents, locks it and writes
// config to config.toml. A directory that exists is taken only if it is empty:
// nothing of another run is ever written over. now goes into the lock file.
func Create(dir string, config []byte, now time.Time) (*Run, error) {
	err := os.MkdirAll(filepath.Dir(dir), 0o777)
	made := false
	if err == nil {
		err = os.Mkdir(dir, 0o777)
		made = err == nil
	}
	if made || errors.Is(err, fs.ErrExist) {
		err = syncDir(filepath.Dir(dir))
	}
	if err != nil {
		return nil, fmt.Errorf("make the run directory: %w", err)
	}
	r := &Run{Dir: dir}
	// Checked twice: before the lock, so that a directory which is none of ours
	// does not get a lock file, and under it, because two processes may have
	// chosen the same name.
	if err := r.checkEmpty(); err != nil {
		return nil, err
	}
	err = r.Lock(now)
	if err == nil {
		err = r.checkEmpty()
	}
	if err == nil {
		err = ReplaceFile(r.ConfigPath(), content(config))
	}
	if err == nil {
		return r, nil
	}
	if made {
		r.unmake()
	}
	return nil, errors.Join(err, r.Close())
}

// unmake takes a directory away in which no run could begin, on a full disk say: one
// that tries every night would fill the place with empty ones. Where another process
// is at it by now, or has put something there, it stays.
func (r *Run) unmake() {
	path := r.lockPath()
	if r.lock == nil {
		// It could not even be locked: then there is no lock, or it has nothing in it.
		f, err := os.Open(path)
		if err == nil {
			defer f.Close()
			err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
	if err := os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(r.Dir)
	}
}

// checkEmpty allows what a Create that was killed may have left.
func (r *Run) checkEmpty() error {
	entries, err := os.ReadDir(r.Dir)
	if err != nil {
		return fmt.Errorf("make the run directory: %w", err)
	}
	if _, err := os.Lstat(r.ConfigPath()); err == nil {
		return &TakenError{r.Dir + " holds a run already: go on with it by --resume, or choose another run.name or --out"}
	}
	for _, e := range entries {
		if name := e.Name(); name != lockName && name != configName+tmpSuffix {
			return &TakenError{fmt.Sprintf("%s is not a run, and not empty (it has %s): choose another run.name or --out", r.Dir, name)}
		}
	}
	return nil
}

// OpenRun opens an existing run directory for reading. [Run.Lock] makes it
// writable.
func OpenRun(dir string) (*Run, error) {
	r := &Run{Dir: dir}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open the run: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is a file, not a run directory", dir)
	}
	switch _, err := os.Stat(r.ConfigPath()); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is not a run directory: it has no %s", dir, configName)
	case err != nil:
		return nil, fmt.Errorf("open the run: %w", err)
	}
	return r, nil
}

const configName = "config.toml"

// ConfigPath is the file of the resolved configuration.
func (r *Run) ConfigPath() string { return filepath.Join(r.Dir, configName) }

// SetConfig replaces config.toml. It needs the lock.
func (r *Run) SetConfig(config []byte) error {
	if r.lock == nil {
		return fmt.Errorf("%s is not locked by this process", r.Dir)
	}
	return ReplaceFile(r.ConfigPath(), content(config))
}

// EventsPath is the file of the run's records, one JSON object a line.
func (r *Run) EventsPath() string { return filepath.Join(r.Dir, "events.jsonl") }

// LogPath is the file for everything that is not a record.
func (r *Run) LogPath() string { return filepath.Join(r.Dir, "log.txt") }

// TensorBoardDir is the directory of TensorBoard's event files.
func (r *Run) TensorBoardDir() string { return filepath.Join(r.Dir, "tb") }

// NewName returns the first of base, base-2, base-3, ... that is not taken.
func NewName(base string, taken func(name string) bool) string {
	name := base
	for n := 2; taken(name); n++ {
		name = base + "-" + strconv.Itoa(n)
	}
	return name
}
