package main

import (
	"context"
	"fmt"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/train"
)

// openBackend opens what [device] asks for, from the user's own plugins.
func openBackend(ctx context.Context, c train.DeviceConfig, warn func(string)) (*device.Backend, error) {
	store, err := pluginStore()
	if err != nil {
		return nil, err
	}
	b, err := device.Open(ctx, device.Options{Backend: c.Backend, Store: store, Devices: c.Devices, Warn: warn})
	if err == nil && c.Devices > b.Devices {
		b.Close()
		return nil, fmt.Errorf("device.devices: %d were asked for, and %s has %d, which is the most that --devices can say", c.Devices, b.Kind, b.Devices)
	}
	return b, err
}

// newEngine makes an engine on what [device] asked for.
func newEngine(backend *device.Backend, c train.DeviceConfig, cfg train.EngineConfig) (*train.Engine, error) {
	cfg.Winograd = c.Winograd && backend.Kind == device.CPU
	cfg.Compiled = device.Trim
	return train.NewEngine(backend.Compute, cfg)
}

// closeEngine gives the memory of an engine and of its backend back. What is still being
// compiled keeps both, until the process ends.
func closeEngine(e *train.Engine, b *device.Backend) {
	if e.Close() {
		b.Close()
	}
}
