package device

import (
	_ "embed"
	"fmt"
	"runtime"
)

// wheel is a Python wheel whose bytes are known, and the library in it.
type wheel struct {
	pkg, version string
	file         string // its name in a package index
	size         int64  // bytes
	sha256       string
	platform     string // pip's platform tag
	member       string // path of the library in it
	library      string // sha256 of the library
	librarySize  int64  // bytes
	machine      string // GOOS/GOARCH that it runs on
}

// cpuWheels are OpenXLA's builds of the CPU plugin (PJRT API 0.81), one an
// architecture. The sums were taken from the package index and, for the library,
// from the unpacked file.
var cpuWheels = []wheel{
	{
		pkg: "xla-cpu-pjrt", version: "0.0.1",
		file:        "xla_cpu_pjrt-0.0.1-py3-none-manylinux_2_27_x86_64.whl",
		size:        63461052,
		sha256:      "55837b6b7b47daa717f2d9a5a03563ea0ceaa338d06a81a1e2d3f060d960decc",
		platform:    "manylinux_2_27_x86_64",
		member:      "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so",
		library:     "88c3f28c5900f48ad4a82cab9e79bba9537809743395e341485f8794268820dc",
		librarySize: 259284552,
		machine:     "linux/amd64",
	},
	{
		pkg: "xla-cpu-pjrt", version: "0.0.1",
		file:        "xla_cpu_pjrt-0.0.1-py3-none-manylinux_2_27_aarch64.whl",
		size:        49514947,
		sha256:      "8f613be6e891858f40d64f9799319502fff42689661944fc18a6ffd8210b30c9",
		platform:    "manylinux_2_27_aarch64",
		member:      "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so",
		library:     "fcf411f3e8ff635c2b2cf87215aa7016f460e66d236c3db08309e7486583532d",
		librarySize: 200328224,
		machine:     "linux/arm64",
	},
}

// cudaLock is a pip requirements file: each package with its version and hash.
//
//go:embed cuda13.lock
var cudaLock []byte

// What the lock comes to on disk, and what it holds.
const (
	cudaPackage     = "jax-cuda13-pjrt"
	cudaVersion     = "0.12.0.1"
	cudaMember      = "jax_plugins/xla_cuda13/xla_cuda_plugin.so"
	cudaLibrary     = "b6de513893c09af2c77e71afcef46d9706f8c259337cdef4cd5cae2353886f75"
	cudaWheelsSize  = 2_500 << 20 // all wheels, while pip works
	cudaInstallSize = 3_830 << 20 // all of them unpacked
)

// cpuWheel is the wheel for a machine; here that is [thisMachine].
func cpuWheel(machine string) (wheel, error) {
	for _, w := range cpuWheels {
		if w.machine == machine {
			return w, nil
		}
	}
	return wheel{}, fmt.Errorf("there is no CPU plugin for %s: OpenXLA builds it for linux/amd64 and linux/arm64; `--backend go` runs anywhere, slowly", machine)
}

func thisMachine() string { return runtime.GOOS + "/" + runtime.GOARCH }
