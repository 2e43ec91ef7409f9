package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
	"golang.org/x/sys/unix"
)

// openPlugin checks p against its record and loads it.
func openPlugin(ctx context.Context, p Plugin, devices int) (*Backend, error) {
	if err := p.verify(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &unusable{err}
	}
	name, err := neutralName(p.Path)
	if err != nil {
		return nil, unusablef("opening the %s plugin: %w", p.Kind, err)
	}
	options := pjrt.NamedValuesMap{}
	if p.Kind == CPU {
		// The plugin presents four devices where nobody says a number.
		options["cpu_device_count"] = int64(devices)
	}
	b, err := xla.NewWithOptions(name, options)
	if err != nil {
		return nil, unusablef("%s", loadFailure(p, name, err))
	}
	library, err := pjrt.GetPlugin(name) // the one that was loaded just now
	if err != nil {
		return nil, unusablef("%s", loadFailure(p, name, err))
	}
	major, minor := library.Version()
	return &Backend{
		Compute: b,
		Kind:    p.Kind,
		Path:    p.Path,
		SHA256:  p.SHA256,
		Version: fmt.Sprintf("PJRT %d.%d", major, minor),
		Devices: b.NumDevices(),
	}, nil
}

// neutralName gives another path to the library at path, in which nothing but its
// own file name is left.
//
// go-xla takes the path for the plugin's name, cuts it at a comma, and tells a CPU
// plugin from a CUDA one by looking for those letters anywhere in it, so that a
// home directory called cuda-lab would turn a CPU plugin into a GPU's. Through a
// descriptor of the directory the path is /proc/self/fd/N/FILE, and the loader's
// $ORIGIN/../nvidia of a CUDA plugin still leads to where it did. go-xla also
// keeps loaded plugins under that name for good, so N must never mean another
// directory: the descriptor stays open until the process ends.
func neutralName(path string) (string, error) {
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	name := fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(path))
	if _, err := os.Stat(name); err != nil {
		return "", fmt.Errorf("%w (is /proc mounted?)", err)
	}
	return name, nil
}

// loadFailure says in one sentence why p did not load.
func loadFailure(p Plugin, name string, err error) string {
	reason := err.Error()
	switch {
	case strings.Contains(reason, "libstdc++"):
		return fmt.Sprintf("the %s plugin needs the C++ library, which is not here: install it with `apt-get install libstdc++6`", p.Kind)
	case strings.Contains(reason, "failed to find symbol"):
		return fmt.Sprintf("%s is a library but no PJRT plugin (it exports no GetPjrtApi); `fcnx plugins install --force %s` replaces it", p.Path, p.Kind)
	case strings.Contains(reason, "invalid ELF header"), strings.Contains(reason, "file too short"):
		return fmt.Sprintf("%s is no shared library; `fcnx plugins install --force %s` replaces it", p.Path, p.Kind)
	case strings.Contains(reason, "wrong ELF class"), strings.Contains(reason, "cannot open shared object file") && !errors.Is(err, os.ErrNotExist):
		return fmt.Sprintf("%s does not load on this machine: %s", p.Path, reason)
	}
	return fmt.Sprintf("the %s plugin does not start: %s", p.Kind, strings.ReplaceAll(reason, name, p.Path))
}
