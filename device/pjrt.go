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

// openPlugin checks p against its record and loads it.
func openPlugin(ctx context.Context, p Plugin, o Options) (*Backend, error) {
	if err := o.Store.check(ctx, p); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &unusable{err}
	}
	name, err := neutralName(p.Path)
	if err != nil {
		return nil, unusablef("opening the %s plugin: %w", p.Kind, err)
	}
	if o.Prepare != nil {
		if err := o.Prepare(p); err != nil {
			return nil, &notPrepared{err}
		}
	}
	var options pjrt.NamedValuesMap
	config := name
	switch p.Kind {
	case CPU:
		// The plugin presents four devices where nobody says a number.
		options = pjrt.NamedValuesMap{"cpu_device_count": int64(max(1, o.Devices))}
	case CUDA:
		if err := checkCUDAName(filepath.Base(p.Path)); err != nil {
			return nil, &unusable{err}
		}
		var more string
		options, more = o.CUDA.client()
		config += more
	}
	b, err := xla.NewWithOptions(config, options)
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
		return unusablef("%s", thisMachinesGPUs().noGPU(p, reason))
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
