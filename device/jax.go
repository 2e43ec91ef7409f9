package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// findJAX prints, one JSON object a line, the CUDA plugins of the JAX that this
// python3 has, oldest CUDA first.
const findJAX = `
import importlib.metadata, importlib.util, json, pathlib
spec = importlib.util.find_spec("jax_plugins")
for folder in (spec.submodule_search_locations or [] if spec else []):
    for path in sorted(pathlib.Path(folder).glob("xla_cuda*/xla_cuda_plugin.so")):
        package = "jax-" + path.parent.name.removeprefix("xla_") + "-pjrt"
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            version = ""
        print(json.dumps({"path": str(path.resolve()), "package": package, "version": version}))
`

// fromJAX points at the CUDA plugin of an installed JAX. It stays where it is,
// since it looks for its NVIDIA libraries relative to its own place.
func fromJAX(ctx context.Context, o InstallOptions, work string) (obtained, error) {
	if o.Kind != CUDA {
		return obtained{}, badSource("JAX has no %s plugin of its own, only a CUDA one; leave --from away", o.Kind)
	}
	python, err := findPython("give the path of an installed xla_cuda_plugin.so to --from")
	if err != nil {
		return obtained{}, err
	}
	cmd := exec.CommandContext(ctx, python, "-c", findJAX) // #nosec G204 -- the python3 of the PATH, as the user has it
	cmd.Dir = work                                         // where no module of the user's lies
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = errors.New(pipLastError(string(failed.Stderr)))
		}
		return obtained{}, fmt.Errorf("asking %s for its JAX: %w", python, err)
	}
	p, found, err := newestJAX(out)
	if err != nil {
		return obtained{}, fmt.Errorf("asking %s for its JAX: %w", python, err)
	}
	if !found {
		return obtained{}, fmt.Errorf("%s has no JAX for CUDA; `python3 -m pip install \"jax[cuda13]\"` installs it, or leave --from away", python)
	}
	return linked(ctx, p)
}

// newestJAX reads the last line that findJAX prints, if there is one.
func newestJAX(out []byte) (p Plugin, found bool, err error) {
	lines := bytes.TrimSpace(out)
	if len(lines) == 0 {
		return Plugin{}, false, nil
	}
	var jax struct{ Path, Package, Version string }
	if err := json.Unmarshal(lines[bytes.LastIndexByte(lines, '\n')+1:], &jax); err != nil {
		return Plugin{}, false, err
	}
	if !filepath.IsAbs(jax.Path) {
		return Plugin{}, false, fmt.Errorf("%.80q is not where a file is", jax.Path)
	}
	return Plugin{Kind: CUDA, Package: jax.Package, Version: jax.Version, Path: jax.Path, Source: "jax"}, true, nil
}

// linked completes the record of a library that stays where it is.
func linked(ctx context.Context, p Plugin) (obtained, error) {
	info, err := os.Stat(p.Path)
	if err != nil {
		return obtained{}, err
	}
	p.Size = info.Size()
	p.SHA256, err = hashFile(ctx, p.Path)
	return obtained{Plugin: p, library: p.Path}, err
}
