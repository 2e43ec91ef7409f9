package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// ErrNotInstalled is in the chain of an error about a plugin that is not there.
var ErrNotInstalled = errors.New("not installed")

// Store is a directory of plugins: for each a library and, beside it, a record in
// JSON that says what it is. The record is written last and removed first, so a
// library without one is an interrupted installation and counts as nothing.
type Store struct {
	// Dir need not exist before the first installation.
	Dir string

	// Trial is the command that calls [Try] with a path and standard output, in a
	// process that nothing else depends on. Where it is nil, a library that fcnx does
	// not know is tried in this process, which then ends if that ends badly.
	Trial func(ctx context.Context, path string) *exec.Cmd
}

// Default is the store of the user: $FCNX_PLUGINS_DIR, or fcnx/plugins below
// $XDG_DATA_HOME, or below ~/.local/share. getenv is [os.Getenv] in a program.
func Default(getenv func(string) string) (*Store, error) {
	if dir := getenv("FCNX_PLUGINS_DIR"); dir != "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("FCNX_PLUGINS_DIR=%s: %w", dir, err)
		}
		return &Store{Dir: absolute}, nil
	}
	// The XDG specification says to ignore a relative path.
	if data := getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return &Store{Dir: filepath.Join(data, "fcnx", "plugins")}, nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return nil, errors.New("no place for plugins: HOME is not set; set it, or FCNX_PLUGINS_DIR")
	}
	return &Store{Dir: filepath.Join(home, ".local", "share", "fcnx", "plugins")}, nil
}

// Plugin is the record of an installed plugin.
type Plugin struct {
	Kind    string `json:"kind"`    // CPU or CUDA
	Package string `json:"package"` // the Python package it comes from; empty if unknown
	Version string `json:"version"` // of the package; empty if unknown

	// Path of the library. On disk it is relative to the store, or absolute where
	// the library belongs to another program and is only pointed at.
	Path   string `json:"path"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // of the library, in hex

	WheelSHA256 string    `json:"wheel_sha256,omitempty"` // of the archive it was in
	Pinned      bool      `json:"pinned"`                 // its hash was known before it was fetched
	Source      string    `json:"source"`                 // "pip", "jax", "release" or a file's path
	Installed   time.Time `json:"installed"`
}

func (s *Store) recordPath(kind string) string {
	return filepath.Join(s.Dir, "pjrt_c_api_"+kind+"_plugin.json")
}

func (s *Store) libraryPath(kind string) string {
	return filepath.Join(s.Dir, "pjrt_c_api_"+kind+"_plugin.so")
}

// Find returns the record of an installed plugin, its library unread. Where there
// is none the error is an [ErrNotInstalled].
func (s *Store) Find(kind string) (Plugin, error) {
	if err := knownKind(kind); err != nil {
		return Plugin{}, err
	}
	text, err := readRecord(s.recordPath(kind))
	if errors.Is(err, fs.ErrNotExist) {
		return Plugin{}, &notInstalled{kind, s.Dir}
	}
	if err != nil {
		return Plugin{}, Plugin{Kind: kind}.damagef("the record of the %s plugin cannot be read: %v", kind, err)
	}
	var p Plugin
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil || p.Kind != kind || p.Path == "" || len(p.SHA256) != 64 {
		return Plugin{}, Plugin{Kind: kind}.damagef("%s is damaged", s.recordPath(kind))
	}
	if !filepath.IsAbs(p.Path) {
		p.Path = filepath.Join(s.Dir, p.Path)
	}
	return p, nil
}

// readRecord reads a file that has to be one, and short: a pipe would be waited for, and
// a device might never end.
func readRecord(path string) ([]byte, error) {
	const most = 64 << 10 // a record has half a kilobyte
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, most)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// notInstalled names what is missing, where, and the command that brings it.
type notInstalled struct{ kind, dir string }

func (e *notInstalled) Error() string {
	return fmt.Sprintf("the %s plugin is not installed in %s; `fcnx plugins install %s` installs it", e.kind, e.dir, e.kind)
}

func (e *notInstalled) Is(target error) bool { return target == ErrNotInstalled }

// Verify reads the whole library of an installed plugin and compares it with the
// record, and tries it as [Open] does before it opens it. What is wrong is a [Damage],
// or something that this machine lacks.
func (s *Store) Verify(ctx context.Context, kind string) (Plugin, error) {
	p, err := s.Find(kind)
	if err != nil {
		return Plugin{}, err
	}
	return p, s.check(ctx, p)
}

// Remove takes a plugin out of the store. A library that belongs to another
// program, such as JAX's, is forgotten but not touched.
func (s *Store) Remove(ctx context.Context, kind string) error {
	if _, err := s.Find(kind); errors.Is(err, ErrNotInstalled) {
		return err
	}
	unlock, err := s.lock(ctx, func(string, ...any) {})
	if err != nil {
		return err
	}
	defer unlock()
	return s.writeFailure(s.discard(kind))
}
