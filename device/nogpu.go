package device

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// machine is what this machine says of its GPUs, without asking one.
type machine struct {
	driver  string   // [Driver]
	nodes   []string // [GPUs]
	visible string   // CUDA_VISIBLE_DEVICES, and whether it is said
	limited bool
}

func thisMachinesGPUs() machine {
	m := machine{driver: Driver(), nodes: GPUs()}
	m.visible, m.limited = os.LookupEnv("CUDA_VISIBLE_DEVICES")
	return m
}

// driverMajor is in what the kernel says of its driver: "580" of
// "NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 06:57:20 UTC 2025".
var driverMajor = regexp.MustCompile(`\b(\d{3,4})\.\d+`)

// oldestDriver is the oldest major version of the driver that p runs on: NVIDIA's table
// for CUDA 12 and 13.
func (p Plugin) oldestDriver() int {
	if strings.Contains(p.Package+p.Path, "cuda12") {
		return 525
	}
	return 580
}

// noGPU says in one sentence why the cuda plugin found no GPU, as far as the machine
// tells, and what to do. reason is what the plugin says itself.
func (m machine) noGPU(p Plugin, reason string) string {
	const elsewhere = ", or compute on another backend: --backend cpu"
	if major := driverMajor.FindStringSubmatch(m.driver); major != nil {
		if have, err := strconv.Atoi(major[1]); err == nil && have < p.oldestDriver() {
			return fmt.Sprintf("the NVIDIA driver %s is too old for the cuda plugin, which needs %d or newer; update the driver%s",
				driverVersion(m.driver), p.oldestDriver(), elsewhere)
		}
	}
	none := strings.Contains(reason, "No visible GPU") // XLA's words, where CUDA shows it none
	switch {
	case !none:
	case m.driver == "" && len(m.nodes) == 0:
		return fmt.Sprintf("there is no GPU for the cuda plugin: this machine has no NVIDIA driver (no /proc/driver/nvidia) and no card (no /dev/nvidia0); "+
			"install driver %d or newer, give the container its GPUs (docker run --gpus all)%s", p.oldestDriver(), elsewhere)
	case len(m.nodes) == 0:
		return fmt.Sprintf("there is no GPU for the cuda plugin: the driver %s is loaded but shows no card (no /dev/nvidia0); "+
			"give the container its GPUs (docker run --gpus all), or see `nvidia-smi`%s", driverVersion(m.driver), elsewhere)
	case m.limited && (m.visible == "" || strings.HasPrefix(m.visible, "-")):
		return fmt.Sprintf("there is no GPU for the cuda plugin: CUDA_VISIBLE_DEVICES=%q hides all %d of them; unset it%s", m.visible, len(m.nodes), elsewhere)
	}
	return fmt.Sprintf("the cuda plugin found no GPU that it can use: %s; `nvidia-smi` shows GPUs and driver, docs/cuda.md what the plugin needs", reason)
}

func driverVersion(driver string) string {
	if version := regexp.MustCompile(`\b\d{3,4}(\.\d+)+`).FindString(driver); version != "" {
		return version
	}
	return driver
}
