package device

import (
	"os"
	"path/filepath"
	"strings"
)

// GPUs lists the device nodes of NVIDIA's GPUs; WSL has one for all of them. That
// a node is there does not say that its GPU answers: [Open] does.
func GPUs() []string {
	nodes, _ := filepath.Glob("/dev/nvidia[0-9]*") // its only error is a bad pattern
	wsl, _ := filepath.Glob("/dev/dxg")
	return append(nodes, wsl...)
}

// Driver is what the kernel says of its NVIDIA driver; empty without one.
func Driver() string {
	text, err := os.ReadFile("/proc/driver/nvidia/version")
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.Join(strings.Fields(strings.TrimPrefix(line, "NVRM version:")), " ")
}
