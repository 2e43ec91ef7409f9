package device

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// fromFile installs what the user has: a wheel, a library, or a directory with one.
func (s *Store) fromFile(ctx context.Context, o InstallOptions, work string) (obtained, error) {
	path, err := filepath.Abs(o.From)
	if err != nil {
		return obtained{}, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return obtained{}, badSource("--from %s: no such file; it takes a wheel, a .so, a directory with one, \"jax\" or \"release\"", o.From)
	}
	if err != nil {
		return obtained{}, badSource("--from: %w", err)
	}
	if info.IsDir() {
		if path, err = pickFromDir(path); err != nil {
			return obtained{}, err
		}
		if info, err = os.Stat(path); err != nil {
			return obtained{}, err
		}
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return obtained{}, badSource("--from %s: neither a file nor a directory with one", path)
	}
	isWheel := filepath.Ext(path) == ".whl"
	if o.Kind == CUDA {
		if isWheel {
			return obtained{}, badSource("%s: a CUDA plugin needs NVIDIA's libraries beside it, so its wheel alone is of no use; install it with pip and use --from jax, or give the path of the installed xla_cuda_plugin.so", path)
		}
		if err := checkCUDAName(filepath.Base(path)); err != nil {
			return obtained{}, badSource("--from: %w", err)
		}
		return linked(ctx, Plugin{Kind: CUDA, Path: path, Source: path})
	}
	if err := s.needSpace(max(info.Size(), cpuWheels[0].librarySize)); err != nil {
		return obtained{}, err
	}
	if isWheel {
		return s.fromWheel(ctx, o, path, path, work)
	}
	return s.fromLibrary(ctx, o, path, Plugin{Source: path}, work)
}

// pickFromDir finds what to install in a directory: the pinned wheel if it is
// there, otherwise the only wheel or the only library.
func pickFromDir(dir string) (string, error) {
	if w, err := cpuWheel(thisMachine()); err == nil {
		path := filepath.Join(dir, w.file)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", badSource("--from: %w", err)
	}
	var found []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext == ".whl" || ext == ".so" {
			found = append(found, e.Name())
		}
	}
	switch len(found) {
	case 0:
		return "", badSource("--from %s: no wheel and no .so in it", dir)
	case 1:
		return filepath.Join(dir, found[0]), nil
	}
	return "", badSource("--from %s: which of %s? Give the file itself", dir, strings.Join(found, ", "))
}

// fromLibrary copies a library into work, hashing what it copies.
func (s *Store) fromLibrary(ctx context.Context, o InstallOptions, path string, p Plugin, work string) (obtained, error) {
	in, err := os.Open(path)
	if err != nil {
		return obtained{}, err
	}
	defer in.Close()
	o.say("copying %s", filepath.Base(path))
	library := filepath.Join(work, "library.so")
	p.Kind, p.Path = o.Kind, filepath.Base(s.libraryPath(o.Kind))
	if p.Size, p.SHA256, err = writeSynced(ctx, library, in); err != nil {
		return obtained{}, err
	}
	for _, w := range cpuWheels {
		if w.library == p.SHA256 {
			p.Package, p.Version, p.Pinned = w.pkg, w.version, true
		}
	}
	return obtained{Plugin: p, library: library, move: library}, nil
}

// fromWheel unpacks the library of a CPU plugin's wheel. A wheel by the name of a
// pinned one has to be that one; of any other the sums are recorded as they are.
func (s *Store) fromWheel(ctx context.Context, o InstallOptions, path, source, work string) (obtained, error) {
	pin, pinned := pinnedWheel(filepath.Base(path))
	if pinned && pin.machine != thisMachine() {
		return obtained{}, fmt.Errorf("%s is built for %s, here is %s", path, pin.machine, thisMachine())
	}
	sum, err := hashFile(ctx, path)
	if err != nil {
		return obtained{}, err
	}
	if pinned && sum != pin.sha256 {
		return obtained{}, fmt.Errorf("%s has the name of the pinned wheel but its sha256 is %s, not %s; it is damaged or not what it says, and was not installed", path, sum, pin.sha256)
	}
	o.say("unpacking %s", filepath.Base(path))
	library := filepath.Join(work, "library.so")
	size, librarySum, err := unpack(ctx, path, pin.member, library)
	if err != nil {
		return obtained{}, err
	}
	if pinned && librarySum != pin.library {
		return obtained{}, fmt.Errorf("%s: the library in it has the sha256 %s, not %s", path, librarySum, pin.library)
	}
	p := Plugin{
		Kind: o.Kind, Path: filepath.Base(s.libraryPath(o.Kind)), Size: size, SHA256: librarySum,
		WheelSHA256: sum, Pinned: pinned, Source: source,
	}
	p.Package, p.Version = wheelName(filepath.Base(path))
	return obtained{Plugin: p, library: library, move: library}, nil
}

func pinnedWheel(file string) (wheel, bool) {
	for _, w := range cpuWheels {
		if w.file == file {
			return w, true
		}
	}
	return wheel{}, false
}

// wheelName reads package and version from the file name of a wheel.
func wheelName(file string) (pkg, version string) {
	parts := strings.Split(strings.TrimSuffix(file, ".whl"), "-")
	if len(parts) < 2 {
		return "", ""
	}
	return strings.ReplaceAll(parts[0], "_", "-"), parts[1]
}
