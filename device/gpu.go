package device

import "path/filepath"

// gpuNodes lists the device nodes of NVIDIA GPUs; WSL has one for all.
func gpuNodes() []string {
	nodes, _ := filepath.Glob("/dev/nvidia[0-9]*") // its only error is a bad pattern
	wsl, _ := filepath.Glob("/dev/dxg")
	return append(nodes, wsl...)
}
