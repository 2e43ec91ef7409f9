package main

import (
	"context"
	"errors"
	"os"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/train"
)

// openBackend opens what [device] asks for, from the user's own plugins.
func openBackend(ctx context.Context, c train.DeviceConfig, warn func(string)) (*device.Backend, error) {
	store, err := device.Default(os.Getenv)
	if err != nil {
		return nil, err
	}
	return device.Open(ctx, device.Options{Backend: c.Backend, Store: store, Devices: c.Devices, Warn: warn})
}

// closeBackend gives the backend's memory back, unless something is still being compiled
// on it when the command ends with err.
func closeBackend(b *device.Backend, err error) {
	if left := (*train.CompilingError)(nil); !errors.As(err, &left) {
		b.Close()
	}
}
