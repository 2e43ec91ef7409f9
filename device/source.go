package device

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"
)

// obtain brings a plugin from where o says into the empty directory work.
func (s *Store) obtain(ctx context.Context, o InstallOptions, work string) (obtained, error) {
	switch o.From {
	case "":
		if o.Kind == CUDA {
			return s.fromCUDALock(ctx, o, work)
		}
		return s.fromPip(ctx, o, work)
	case "jax":
		return fromJAX(ctx, o, work)
	case "release":
		return s.fromRelease(ctx, o, work)
	}
	return s.fromFile(ctx, o, work)
}

// fromPip lets pip fetch the pinned wheel and unpacks it.
func (s *Store) fromPip(ctx context.Context, o InstallOptions, work string) (obtained, error) {
	w, err := cpuWheel(thisMachine())
	if err != nil {
		return obtained{}, err
	}
	// pip holds the wheel twice for a moment, but the library is larger than that.
	if err := s.needSpace(w.size + w.librarySize); err != nil {
		return obtained{}, err
	}
	lock := filepath.Join(work, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", w.pkg, w.version, w.sha256)
	if err := os.WriteFile(lock, []byte(line), 0o644); err != nil {
		return obtained{}, err
	}
	o.say("fetching %s %s (%d MB) with pip", w.pkg, w.version, w.size/1e6)
	// The platform is given because an old pip does not know of manylinux_2_27, and
	// would find nothing that suits this machine.
	err = pip(ctx, work, nil, wheelElsewhere, "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:",
		"--platform", w.platform, "--dest", work, "--requirement", lock)
	if err != nil {
		return obtained{}, fmt.Errorf("fetching %s %s: %w", w.pkg, w.version, err)
	}
	return s.fromWheel(ctx, o, filepath.Join(work, w.file), "pip", work)
}

// fromCUDALock lets pip install the plugin and its NVIDIA libraries side by side,
// as the plugin's RPATH wants them.
func (s *Store) fromCUDALock(ctx context.Context, o InstallOptions, work string) (obtained, error) {
	if thisMachine() != "linux/amd64" {
		return obtained{}, fmt.Errorf("the CUDA plugin is locked for linux/amd64 only, here is %s; install JAX for CUDA and use --from jax", thisMachine())
	}
	if err := s.needSpace(cudaWheelsSize + cudaInstallSize); err != nil {
		return obtained{}, err
	}
	lock := filepath.Join(work, "cuda13.lock")
	if err := os.WriteFile(lock, cudaLock, 0o644); err != nil {
		return obtained{}, err
	}
	o.say("fetching %s %s and its NVIDIA libraries (2.5 GB) with pip", cudaPackage, cudaVersion)
	target := filepath.Join(work, "cuda")
	// Nothing of it runs in Python, so the version of python3 does not matter.
	err := pip(ctx, work, o.Progress, jaxElsewhere, "install", "--no-deps", "--require-hashes", "--only-binary=:all:",
		"--ignore-requires-python", "--no-compile", "--no-cache-dir", "--target", target, "--requirement", lock)
	if err != nil {
		return obtained{}, fmt.Errorf("fetching %s %s: %w", cudaPackage, cudaVersion, err)
	}
	library := filepath.Join(target, cudaMember)
	sum, err := hashFile(ctx, library)
	if err != nil {
		return obtained{}, err
	}
	if sum != cudaLibrary {
		return obtained{}, fmt.Errorf("%s %s: the library in it has the sha256 %s, not %s", cudaPackage, cudaVersion, sum, cudaLibrary)
	}
	info, err := os.Stat(library)
	if err != nil {
		return obtained{}, err
	}
	if err := syncTree(target); err != nil {
		return obtained{}, err
	}
	return obtained{library: library, move: target, Plugin: Plugin{
		Kind: CUDA, Package: cudaPackage, Version: cudaVersion, Path: filepath.Join("cuda", cudaMember),
		Size: info.Size(), SHA256: sum, Pinned: true, Source: "pip",
	}}, nil
}

// fromRelease asks go-xla's own installer, which knows no hash for what it fetches.
func (s *Store) fromRelease(ctx context.Context, o InstallOptions, work string) (obtained, error) {
	if o.Kind != CPU {
		return obtained{}, badSource("--from release is for the cpu plugin; for cuda leave --from away, or use --from jax")
	}
	if err := s.needSpace(400 << 20); err != nil {
		return obtained{}, err
	}
	version := pjrt.DefaultCPUVersion
	o.say("warning: go-xla's release %s is not pinned by a hash: what the network gives is what will run", version)
	platform := runtime.GOOS + "_" + runtime.GOARCH
	// The installer takes no context; an interrupted process leaves only work behind.
	if err := installer.CPUInstall(platform, version, work, false, installer.Quiet); err != nil {
		return obtained{}, fmt.Errorf("go-xla's installer: %w; leave --from away for the pinned package", err)
	}
	found, err := filepath.EvalSymlinks(filepath.Join(work, "pjrt_c_api_cpu_plugin.so"))
	if err != nil {
		return obtained{}, fmt.Errorf("go-xla's installer left no plugin behind: %w", err)
	}
	return s.fromLibrary(ctx, o, found, Plugin{Package: "go-xla release", Version: version, Source: "release"}, work)
}
