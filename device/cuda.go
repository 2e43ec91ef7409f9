package device

import (
	"fmt"
	"os"
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

// Variable is one of the environment.
type Variable struct{ Name, Value string }

// What XLA, NVIDIA's libraries and go-xla read in the environment.
const (
	xlaFlags      = "XLA_FLAGS"
	tf32Override  = "NVIDIA_TF32_OVERRIDE"
	cudaChecksEnv = "GOPJRT_CUDA_CHECKS"

	// Run after run the same, which also turns off the search for the fastest kernel.
	deterministicFlag = "--xla_gpu_deterministic_ops"
)

// Environment is what has to be in the process's environment before the cuda plugin is
// loaded: XLA, cuDNN and cuBLAS read it once. Whoever owns the process sets it, for a
// library has no right to. What the user has said there stays, and told has a line
// where that is something else than c says. lookup is [os.LookupEnv] in a program.
//
// An error is about flags that cannot be added.
func (c CUDAOptions) Environment(lookup func(string) (string, bool)) (set []Variable, told []string, err error) {
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
		flags, conflict, err := addFlag(lookup, deterministicFlag, "true")
		if err != nil {
			return nil, nil, err
		}
		if flags != "" {
			set = append(set, Variable{xlaFlags, flags})
		}
		if conflict != "" {
			told = append(told, conflict+" of XLA_FLAGS stays as it is, so device.deterministic = true does not hold")
		}
	}
	return set, told, nil
}

// addFlag gives XLA_FLAGS with one more flag, or nothing where the flag is there; conflict
// is it, where it says something else than value. XLA ends the process at a flag that it
// does not know, so only flags that the plugins have come here.
func addFlag(lookup func(string) (string, bool), flag, value string) (flags, conflict string, err error) {
	old, _ := lookup(xlaFlags)
	text, path := old, strings.TrimSpace(old)
	inFile := path != "" && !strings.HasPrefix(path, "-") // XLA then takes it for the name of a file
	if inFile {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", "", fmt.Errorf("XLA_FLAGS names a file of flags, which cannot be read: %w", err)
		}
		text = string(content)
	}
	said := "" // the last one counts
	for _, word := range strings.Fields(text) {
		if name, _, _ := strings.Cut(word, "="); name == flag {
			said = word
		}
	}
	switch {
	case said == flag, said == flag+"="+value, said == flag+"=1":
		return "", "", nil
	case said != "":
		return "", said, nil
	case inFile:
		return "", "", fmt.Errorf("XLA_FLAGS names the file %s, to which nothing is added; write %s=%s into it", path, flag, value)
	}
	return strings.TrimSpace(old + " " + flag + "=" + value), "", nil
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
