package main

import (
	"context"
	"fmt"
	"os"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/train"
)

// openBackend opens what [device] asks for, from the user's own plugins.
func openBackend(ctx context.Context, c train.DeviceConfig, warn func(string)) (*device.Backend, error) {
	b, err := openAnyBackend(ctx, c, warn)
	if err == nil && c.Devices > b.Devices {
		b.Close()
		return nil, fmt.Errorf("device.devices: %d were asked for, and %s has %d, which is the most that --devices can say", c.Devices, b.Kind, b.Devices)
	}
	return b, err
}

// openAnyBackend is openBackend also where there are fewer devices than asked for.
func openAnyBackend(ctx context.Context, c train.DeviceConfig, warn func(string)) (*device.Backend, error) {
	store, err := pluginStore()
	if err != nil {
		return nil, err
	}
	cuda := device.CUDAOptions{TF32: c.TF32, MemoryFraction: c.MemoryFraction, Preallocate: c.Preallocate, Deterministic: c.Deterministic}
	b, err := device.Open(ctx, device.Options{Backend: c.Backend, Store: store, Devices: c.Devices, CUDA: cuda, Prepare: prepareFor(cuda, warn), Warn: warn})
	if err != nil {
		return nil, err
	}
	if b.Kind != device.CUDA {
		for _, key := range c.CUDAKeys() {
			warn(fmt.Sprintf("%s does nothing here: it is for cuda, and %s computes", key, b.Kind))
		}
	}
	return b, nil
}

// prepareFor puts what a plugin reads in the environment there, before it is loaded.
// Nothing else of fcnx changes the environment of its own process.
func prepareFor(cuda device.CUDAOptions, warn func(string)) func(device.Plugin) error {
	return func(p device.Plugin) error {
		set, told, err := device.Environment(p, cuda, os.LookupEnv)
		if err != nil {
			return usageError(err)
		}
		for _, line := range told {
			warn(line)
		}
		for _, v := range set {
			if err := os.Setenv(v.Name, v.Value); err != nil {
				return fmt.Errorf("setting %s: %w", v.Name, err)
			}
		}
		return nil
	}
}

// newEngine makes an engine on what [device] asked for.
func newEngine(backend *device.Backend, c train.DeviceConfig, cfg train.EngineConfig) (*train.Engine, error) {
	cfg.Winograd = c.Winograd && backend.Kind == device.CPU
	cfg.Compiled, cfg.LargePages = device.Trim, device.LargePages
	return train.NewEngine(backend.Compute, cfg)
}

// closeEngines gives the memory of engines and of their backend back. What is still being
// compiled keeps its engine and the backend, until the process ends.
func closeEngines(b *device.Backend, engines ...*train.Engine) {
	idle := true
	for _, e := range engines {
		idle = e.Close() && idle
	}
	if idle {
		b.Close()
	}
}
