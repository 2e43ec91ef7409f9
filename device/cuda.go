package device

import (
	"fmt"
	"strings"

	"github.com/gomlx/go-xla/pjrt"
)

// CUDAOptions are the settings of the cuda backend. The zero value is float32 throughout, XLA's
// own share of the memory, and the fastest kernels.
type CUDAOptions struct {
	// TF32 allows TensorFloat-32, which has float32's range and 10 of its 23 bits, in
	// products and convolutions of float32.
	TF32 bool

	// MemoryFraction is the most that XLA takes of each GPU's memory, above 0 and at most
	// 1; 0 stands for XLA's own 0.75.
	MemoryFraction float64

	// Preallocate takes that memory at the start, not as it is needed.
	Preallocate bool

	// Deterministic gives the same bits in every run, with slower kernels.
	Deterministic bool
}

// What NVIDIA's libraries and go-xla read in the environment.
const (
	tf32Override  = "NVIDIA_TF32_OVERRIDE"
	cudaChecksEnv = "GOPJRT_CUDA_CHECKS"

	// Run after run the same, which also turns off the search for the fastest kernel.
	deterministicFlag = "--xla_gpu_deterministic_ops"
)

// environment is what XLA, cuDNN and cuBLAS read: [Environment] of the cuda plugin.
func (c CUDAOptions) environment(lookup func(string) (string, bool), flags givenFlags) (set []Variable, told []string, err error) {
	// go-xla would look for NVIDIA's libraries next to the plugin's name rather than
	// its file, warn that there are none, and edit XLA_FLAGS. The plugin's RPATH finds
	// them by itself.
	if _, said := lookup(cudaChecksEnv); !said {
		set = append(set, Variable{cudaChecksEnv, "no"})
	}
	if !c.TF32 {
		// go-xla says the precision of a product, not that of a convolution, for which
		// XLA then lets cuDNN take TensorFloat-32.
		switch value, said := lookup(tf32Override); {
		case !said:
			set = append(set, Variable{tf32Override, "0"})
		case value != "0":
			told = append(told, fmt.Sprintf("%s=%s of the environment stays as it is, so device.tf32 = false may not hold for convolutions", tf32Override, value))
		}
	}
	if c.Deterministic {
		more, conflict, err := flags.with(deterministicFlag, true)
		if err != nil {
			return nil, nil, fmt.Errorf("device.deterministic: %w", err)
		}
		if more != "" {
			set = append(set, Variable{xlaFlags, more})
		}
		if conflict != "" {
			told = append(told, conflict+" of XLA_FLAGS stays as it is, so device.deterministic = true does not hold")
		}
	}
	return set, told, nil
}

// client are the options that the plugin's client is made with, and what is added to
// the plugin's name for go-xla, which sets preallocate by itself unless it is there.
func (c CUDAOptions) client() (options pjrt.NamedValuesMap, config string) {
	fraction := c.MemoryFraction
	if fraction == 0 {
		fraction = 0.75
	}
	return pjrt.NamedValuesMap{"memory_fraction": float32(fraction)}, fmt.Sprintf(",preallocate=%t,tf32=%t", c.Preallocate, c.TF32)
}

// checkCUDAName is an error for a library that go-xla would not take for a CUDA plugin:
// it goes by the letters of the file's name, and cuts that at a comma.
func checkCUDAName(file string) error {
	upper := strings.ToUpper(file)
	if !pjrt.IsCUDAName(file) || strings.Contains(upper, "CPU") || strings.Contains(file, ",") {
		return fmt.Errorf("%q: the file of a CUDA plugin has \"cuda\" in its name, not \"cpu\" and no comma, or go-xla takes it for another; give it its own name back, xla_cuda_plugin.so", file)
	}
	return nil
}
