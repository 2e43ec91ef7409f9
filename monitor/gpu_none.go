//go:build !nvml

package monitor

import "github.com/fcnx/fcnx/train/event"

// gpus are those of the machine; without the tag nvml nobody asks for them.
type gpus struct{}

func openGPUs() gpus { return gpus{} }

func (gpus) sample() []event.GPU { return nil }

func (gpus) close() {}
