package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// InstallOptions say what is installed, and from where.
type InstallOptions struct {
	Kind string // CPU or CUDA

	// From is empty for the pinned package, which pip fetches; "jax" for the CUDA
	// plugin of a JAX that the current python3 has; "release" for what go-xla's own
	// installer downloads, unpinned; anything else is a wheel, a library, or a
	// directory that holds one of them.
	From string

	// Force installs again where the plugin is there and sound.
	Force bool

	// Progress receives a line for each stage; nil drops them. Where it is a
	// terminal, pip draws its bars on it for downloads of gigabytes.
	Progress io.Writer

	// Now is the time that the record is stamped with.
	Now time.Time
}

// SourceError says that From names nothing that can be installed.
type SourceError struct{ error }

// badSource makes a [*SourceError].
func badSource(format string, args ...any) error {
	return &SourceError{fmt.Errorf(format, args...)}
}

func (o InstallOptions) say(format string, args ...any) {
	if o.Progress != nil {
		fmt.Fprintf(o.Progress, format+"\n", args...)
	}
}

// Install puts a plugin into the store and returns its record. Where the same is
// there already, and its hash is right, nothing is done and already is true. A wrong From is
// a [*SourceError].
//
// Whatever happens on the way, the store holds the old plugin, the new one or
// none, never half of one. Two installations at once take turns.
func (s *Store) Install(ctx context.Context, o InstallOptions) (p Plugin, already bool, err error) {
	if err := knownKind(o.Kind); err != nil {
		return Plugin{}, false, err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return Plugin{}, false, fmt.Errorf("plugins cannot be kept in %s: %w; set FCNX_PLUGINS_DIR to a place that you may write to", s.Dir, err)
	}
	unlock, err := s.lock(ctx, o.say)
	if err != nil {
		return Plugin{}, false, err
	}
	defer unlock()

	if !o.Force && o.From == "" {
		p, err := s.sound(ctx, o)
		if err == nil {
			return p, true, nil
		}
		if ctx.Err() != nil {
			return Plugin{}, false, ctx.Err()
		}
	}

	work, err := s.workDir()
	if err != nil {
		return Plugin{}, false, s.writeFailure(err)
	}
	defer os.RemoveAll(work)
	got, err := s.obtain(ctx, o, work)
	if err != nil {
		return Plugin{}, false, s.writeFailure(err)
	}
	if err := checkLibrary(got.library); err != nil {
		return Plugin{}, false, fmt.Errorf("%s: %w; it was not installed", got.origin(), err)
	}
	if err := s.tryUnknown(ctx, got.Plugin, got.library); err != nil {
		switch needed := missing(o.Kind, err.Error()); {
		case ctx.Err() != nil:
			return Plugin{}, false, ctx.Err()
		case needed != nil:
			return Plugin{}, false, needed
		}
		return Plugin{}, false, fmt.Errorf("%s cannot be used: %w; it was not installed", got.origin(), err)
	}
	if old, err := s.Find(o.Kind); err == nil && !o.Force && old.sameLibrary(got) && s.check(ctx, old) == nil {
		return old, true, nil
	}
	if err := s.commit(got, o.Now); err != nil {
		return Plugin{}, false, s.writeFailure(err)
	}
	p, err = s.Find(o.Kind)
	return p, false, err
}

// sound is the installed plugin, where there is one and its hash is right.
func (s *Store) sound(ctx context.Context, o InstallOptions) (Plugin, error) {
	p, err := s.Find(o.Kind)
	if errors.Is(err, ErrNotInstalled) {
		return Plugin{}, err
	}
	if err == nil {
		err = s.check(ctx, p)
	}
	if err != nil && ctx.Err() == nil {
		o.say("installing again: %v", err)
	}
	return p, err
}

// obtained is a plugin that is complete but not yet in its place.
type obtained struct {
	Plugin
	library string // where the library lies now
	move    string // what goes to the first element of Path; empty: nothing moves
}

// origin names what the user would look at when the library is not right.
func (p Plugin) origin() string {
	if filepath.IsAbs(p.Source) {
		return p.Source
	}
	return strings.TrimSpace(p.Package + " " + p.Version)
}

// sameLibrary says whether got would put in place what is in place.
func (p Plugin) sameLibrary(got obtained) bool {
	return p.SHA256 == got.SHA256 && (got.move != "" || p.Path == got.Path)
}

// commit moves what was obtained into its place, record last.
func (s *Store) commit(g obtained, now time.Time) error {
	g.Installed = now.UTC().Truncate(time.Second)
	if err := s.discard(g.Kind); err != nil {
		return err
	}
	if g.move != "" {
		first, _, _ := strings.Cut(g.Path, string(filepath.Separator))
		if err := os.Rename(g.move, filepath.Join(s.Dir, first)); err != nil {
			return err
		}
	}
	return s.writeRecord(g.Plugin)
}

// lock waits for its turn among the processes that change the store.
func (s *Store) lock(ctx context.Context, say func(string, ...any)) (unlock func(), err error) {
	path := filepath.Join(s.Dir, ".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, s.writeFailure(err)
	}
	for waited := false; ; waited = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			// Closing the file lets the lock go; so does the end of the process.
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !waited {
			say("another installation is at work in %s; waiting for it", s.Dir)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// workDir makes an empty directory inside the store, so that a rename out of it
// stays on one file system, and clears what killed installations left. It is
// called with the lock held.
func (s *Store) workDir() (string, error) {
	left, _ := filepath.Glob(filepath.Join(s.Dir, ".install-*")) // its only error is a bad pattern
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	return os.MkdirTemp(s.Dir, ".install-")
}

// needSpace is an error unless size bytes are free below the store.
func (s *Store) needSpace(size int64) error {
	const slack = 8 << 20 // records, and the file system's own
	var fsys unix.Statfs_t
	if err := unix.Statfs(s.Dir, &fsys); err != nil {
		return &fs.PathError{Op: "statfs", Path: s.Dir, Err: err}
	}
	free := int64(fsys.Bavail) * fsys.Bsize // #nosec G115 -- blocks of a disk
	if need := size + slack; free < need {
		return fmt.Errorf("the disk is too full: %d MB are needed in %s, %d MB are free; make room, or set FCNX_PLUGINS_DIR to a place on another disk", need/1e6, s.Dir, free/1e6)
	}
	return nil
}

// writeFailure adds a way on to the errors of a store that cannot be written.
func (s *Store) writeFailure(err error) error {
	var failed *fs.PathError
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("the disk is full: %w; make room, or set FCNX_PLUGINS_DIR to a place on another disk", err)
	case !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS):
		return err
	case errors.As(err, &failed) && !s.near(failed.Path):
		return err // what may not be read is the user's own file
	}
	return fmt.Errorf("plugins cannot be written to %s: %w; set FCNX_PLUGINS_DIR to a place that you may write to", s.Dir, err)
}

// near says whether path is the store, in it, or on the way to it.
func (s *Store) near(path string) bool {
	path, dir := filepath.Clean(path)+"/", filepath.Clean(s.Dir)+"/"
	return strings.HasPrefix(path, dir) || strings.HasPrefix(dir, path)
}
