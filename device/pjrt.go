package device

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
	"golang.org/x/sys/unix"
)

// cudaChecksEnv is go-xla's; "no" turns off its search for NVIDIA's libraries.
const cudaChecksEnv = "GOPJRT_CUDA_CHECKS"

// openPlugin checks p against its record and loads it.
func openPlugin(ctx context.Context, s *Store, p Plugin, devices int) (*Backend, error) {
	if err := s.check(ctx, p); err != nil {
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
	switch p.Kind {
	case CPU:
		// The plugin presents four devices where nobody says a number.
		options["cpu_device_count"] = int64(devices)
	case CUDA:
		// go-xla would look for NVIDIA's libraries next to the name rather than the
		// file, warn that there are none, and edit XLA_FLAGS. The plugin's RPATH finds
		// them by itself.
		if _, set := os.LookupEnv(cudaChecksEnv); !set {
			if err := os.Setenv(cudaChecksEnv, "no"); err != nil {
				return nil, unusablef("setting %s: %w", cudaChecksEnv, err)
			}
		}
	}
	b, err := xla.NewWithOptions(name, options)
	if err != nil {
		return nil, startFailure(p, name, err)
	}
	library, err := pjrt.GetPlugin(name) // the one that was loaded just now
	if err != nil {
		return nil, startFailure(p, name, err)
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

// startFailure says in one sentence why a sound plugin did not start.
func startFailure(p Plugin, name string, err error) error {
	reason := strings.ReplaceAll(err.Error(), name, p.Path)
	if err := missing(p.Kind, reason); err != nil {
		return &unusable{err}
	}
	if p.Kind == CUDA {
		return unusablef("the cuda plugin found no GPU that it can use: %s; `nvidia-smi` shows GPUs and driver, docs/plugins.md what the plugin needs", reason)
	}
	return unusablef("the %s plugin does not start: %s", p.Kind, reason)
}

// missing is what this machine lacks, as far as the dynamic loader's words tell; nil if
// it is something else.
func missing(kind, reason string) error {
	switch {
	case strings.Contains(reason, "libstdc++.so") || strings.Contains(reason, "libgcc_s.so"):
		return fmt.Errorf("the %s plugin needs the C++ library, which is not on this machine; `apt-get install libstdc++6` installs it", kind)
	case strings.Contains(reason, "GLIBC_"):
		return fmt.Errorf("the %s plugin needs a newer glibc than this machine has (2.27 or later): %s", kind, reason)
	}
	return nil
}
