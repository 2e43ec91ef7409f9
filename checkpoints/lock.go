package checkpoints

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const lockName = "lock"

// Holder is the process that writes a run, as the lock file tells it.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// Lock makes this process the one that writes the run, until [Run.Close] or the
// end of the process. The lock is flock's, so that the file of a process that was
// killed is no obstacle, whoever has its process number now; what the file says is
// only there to be shown. It is an error if another process holds it.
func (r *Run) Lock(now time.Time) error {
	if r.lock != nil {
		return fmt.Errorf("%s is locked by this process already", r.Dir)
	}
	f, err := OpenOwn(r.lockPath(), os.O_RDWR)
	if err != nil {
		return fmt.Errorf("lock the run: %w", err)
	}
	return r.take(f, now)
}

func (r *Run) lockPath() string { return filepath.Join(r.Dir, lockName) }

// take locks the lock file, which is closed where that fails.
func (r *Run) take(f *os.File, now time.Time) error {
	if err := lockExclusive(f); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("lock the run: %s: %w (does its file system support locks?)", f.Name(), err)
		}
		h, err := readHolder(f)
		if err != nil {
			return fmt.Errorf("%s is being written by another process", r.Dir)
		}
		return fmt.Errorf("%s is being written by process %d on %s since %s: wait for it, or end that process",
			r.Dir, h.PID, h.Host, h.Since.Format(time.DateTime))
	}
	// Whoever made the directory and could not begin may have taken file and directory
	// away in the meantime: the lock on a file without a name keeps nobody out.
	if info, err := f.Stat(); err == nil && info.Sys().(*syscall.Stat_t).Nlink == 0 {
		return errors.Join(fmt.Errorf("lock the run: %s was removed just now; try again", r.Dir), f.Close())
	}
	if err := writeHolder(f, now); err != nil {
		return errors.Join(fmt.Errorf("lock the run: %w", err), f.Close())
	}
	r.lock = f
	return nil
}

// lockExclusive tries for a fifth of a second, because [Run.Holder] in another
// process takes a shared lock for a moment.
func lockExclusive(f *os.File) error {
	var err error
	for range 10 {
		if err = flock(f, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

func flock(f *os.File, how int) error {
	for {
		// A signal that the Go runtime handles may interrupt the call.
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func writeHolder(f *os.File, now time.Time) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	text, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Since: now})
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	return err
}

func readHolder(f *os.File) (Holder, error) {
	var h Holder
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	return h, err
}

// Holder tells which process writes the run now; held is false when none does.
func (r *Run) Holder() (h Holder, held bool, err error) {
	f, _, err := OpenRegular(r.lockPath())
	if errors.Is(err, fs.ErrNotExist) {
		return Holder{}, false, nil
	}
	if err != nil {
		return Holder{}, false, err
	}
	defer f.Close()
	switch err := flock(f, unix.LOCK_SH|unix.LOCK_NB); {
	case err == nil:
		return Holder{}, false, nil // closing the file gives the lock back
	case !errors.Is(err, unix.EWOULDBLOCK):
		return Holder{}, false, fmt.Errorf("%s: %w", f.Name(), err)
	}
	h, err = readHolder(f)
	if err != nil {
		return Holder{}, true, fmt.Errorf("%s is held, but does not say by whom: %w", f.Name(), err)
	}
	return h, true, nil
}

// Close gives the lock back. The file stays: removing it would let two processes
// hold a lock on two files of one name.
func (r *Run) Close() error {
	if r.lock == nil {
		return nil
	}
	f := r.lock
	r.lock = nil
	return f.Close()
}
