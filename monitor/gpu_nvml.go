//go:build nvml

package monitor

import (
	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/fcnx/fcnx/train/event"
)

// gpus are the devices that NVML knows: all of the machine, whatever
// CUDA_VISIBLE_DEVICES says. Without a driver there are none.
type gpus struct {
	library nvml.Interface // nil: there is none
	devices []nvml.Device
	names   []string
}

func openGPUs() gpus {
	library := nvml.New()
	if library.Init() != nvml.SUCCESS {
		return gpus{}
	}
	g := gpus{library: library}
	count, _ := library.DeviceGetCount() // 0 after an error
	for i := range count {
		device, result := library.DeviceGetHandleByIndex(i)
		if result != nvml.SUCCESS {
			continue // no right to see it, or it has fallen off the bus
		}
		name, _ := device.GetName() // empty after an error
		g.devices, g.names = append(g.devices, device), append(g.names, name)
	}
	return g
}

// sample leaves out what a device does not tell: not all know their power.
func (g gpus) sample() []event.GPU {
	var all []event.GPU
	for i, device := range g.devices {
		gpu := event.GPU{Name: g.names[i]}
		if rates, result := device.GetUtilizationRates(); result == nvml.SUCCESS {
			gpu.Utilization = float64(rates.Gpu)
		}
		if memory, result := device.GetMemoryInfo(); result == nvml.SUCCESS {
			gpu.Used, gpu.Memory = int64(memory.Used), int64(memory.Total)
		}
		if milliwatts, result := device.GetPowerUsage(); result == nvml.SUCCESS {
			gpu.Watts = float64(milliwatts) / 1000
		}
		if celsius, result := device.GetTemperature(nvml.TEMPERATURE_GPU); result == nvml.SUCCESS {
			gpu.Celsius = float64(celsius)
		}
		all = append(all, gpu)
	}
	return all
}

func (g gpus) close() {
	if g.library != nil {
		_ = g.library.Shutdown() // the process is about to end
	}
}
