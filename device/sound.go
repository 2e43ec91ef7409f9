package device

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// check is everything that is asked of an installed plugin before it is opened: nobody
// else can put another in its place, it is what was installed, it is a plugin for this
// machine, and it can be loaded.
func (s *Store) check(ctx context.Context, p Plugin) error {
	if err := p.verify(ctx); err != nil {
		return err
	}
	if err := s.checkPlaces(p.Path); err != nil {
		return err
	}
	if err := checkLibrary(p.Path); err != nil {
		return p.damagef("%s: %v", p.Path, err)
	}
	if err := s.tryUnknown(ctx, p, p.Path); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return p.unloadable(p.Path, err)
	}
	return nil
}

// verify reads the whole library and compares it with the record.
func (p Plugin) verify(ctx context.Context) error {
	info, err := os.Stat(p.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what := fmt.Sprintf("the %s plugin is recorded but its library %s is not there", p.Kind, p.Path)
		if p.Kind == CUDA && filepath.IsAbs(p.Source) {
			return &Damage{what, p.install("FILE"), "takes it from where it is now"}
		}
		return &Damage{what, p.install(p.Source), "brings it back"}
	case err != nil:
		return p.damagef("the library of the %s plugin cannot be read: %v", p.Kind, err)
	case !info.Mode().IsRegular():
		return p.damagef("%s is no file; it was not opened", p.Path)
	case info.Size() != p.Size:
		return p.damagef("%s has %d bytes where %d were installed; it was not opened", p.Path, info.Size(), p.Size)
	}
	sum, err := hashFile(ctx, p.Path)
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil:
		return p.damagef("the library of the %s plugin cannot be read: %v", p.Kind, err)
	case sum != p.SHA256:
		return p.damagef("%s is not the file that was installed: its sha256 is %s, recorded is %s; it was not opened", p.Path, sum, p.SHA256)
	}
	return nil
}

// unloadable says in one sentence why a library, named as it is known to the user, does
// not load. It is of the right kind, but what it needs may not be here.
func (p Plugin) unloadable(name string, err error) error {
	if needed := missing(p.Kind, err.Error()); needed != nil {
		return needed
	}
	return p.damagef("%s cannot be used: %v", name, err)
}
