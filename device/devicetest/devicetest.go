// Package devicetest opens what tests compute on: XLA on the CPU, or on a GPU where
// FCNX_TEST_BACKEND=cuda asks for it. A test that asks for a GPU and gets none fails, for
// whoever set the variable wants to know.
package devicetest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/fcnx/fcnx/device"
)

// Variable is what says on which backend tests compute: cpu, which is the default, or cuda.
const Variable = "FCNX_TEST_BACKEND"

// slack is how many times as far from another's results a backend's float32 may be as the
// CPU's. cuDNN and cuBLAS add in an order of their own, which also follows the shape, and
// some of their algorithms for 3x3 kernels transform the tile first. TensorFloat-32, which
// would need a thousand, is off in tests. That of cuda is an estimate: no card has
// been measured.
var slack = map[string]float64{device.CPU: 1, device.CUDA: 5}

// CUDA are the settings of a GPU in tests: float32 throughout, and the same bits in each
// run. Several packages are tested at a time, so memory is taken as it is needed.
func CUDA() device.CUDAOptions {
	return device.CUDAOptions{MemoryFraction: 0.9, Deterministic: true}
}

// Kind is the backend that tests compute on, cpu or cuda.
func Kind() string {
	if kind := os.Getenv(Variable); kind != "" {
		return kind
	}
	return device.CPU
}

// Tolerance is the tolerance on Kind where onCPU is that on the CPU.
func Tolerance(onCPU float64) float64 { return onCPU * slack[Kind()] }

// Backend is Kind with one device. It is opened once in a process, and lives until that
// ends: hashing a plugin a dozen times would take longer than what is tested.
func Backend(t testing.TB) *device.Backend {
	t.Helper()
	return must(t, one)
}

// Four is Kind with four devices, opened once as well. The CPU shows as many; a machine
// with fewer GPUs skips the test.
func Four(t testing.TB) *device.Backend {
	t.Helper()
	b := must(t, four)
	if b.Devices < 4 {
		t.Skipf("this test shares a batch between 4 devices, and this machine has %d GPUs; without %s four of the CPU's do", b.Devices, Variable)
	}
	return b
}

var (
	one  = sync.OnceValues(func() (*device.Backend, error) { return Open(Kind(), 1) })
	four = sync.OnceValues(func() (*device.Backend, error) { return Open(Kind(), 4) })
)

func must(t testing.TB, open func() (*device.Backend, error)) *device.Backend {
	t.Helper()
	b, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Open opens a backend of its own, from the user's plugins.
func Open(kind string, devices int) (*device.Backend, error) {
	if _, known := slack[kind]; !known {
		return nil, fmt.Errorf("%s=%s: tests compute on cpu or cuda", Variable, kind)
	}
	store, err := device.Default(os.Getenv)
	if err != nil {
		return nil, err
	}
	b, err := device.Open(context.Background(), device.Options{Backend: kind, Store: store, Devices: devices, CUDA: CUDA(), Prepare: prepare})
	if err != nil && kind == device.CUDA {
		return nil, fmt.Errorf("%s=%s: %w", Variable, kind, err)
	}
	return b, err
}

// prepare is what the command does for its own process.
func prepare(p device.Plugin) error {
	set, told, err := device.Environment(p, CUDA(), os.LookupEnv)
	if err != nil {
		return err
	}
	if len(told) > 0 {
		return fmt.Errorf("%s; unset it for tests", told[0])
	}
	for _, v := range set {
		if err := os.Setenv(v.Name, v.Value); err != nil {
			return err
		}
	}
	return nil
}
