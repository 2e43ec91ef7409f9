package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// watchPeak forgets how much memory the process had, where the system lets it, and gives
// what tells how much it had at most since then, in bytes.
func watchPeak() func() int64 {
	debug.FreeOSMemory() // what is garbage already is not of what comes
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return peakMemory
}

// peakMemory is the most memory that the process has had, in bytes; 0 where nobody tells.
func peakMemory() int64 {
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(status)) {
			kib := int64(0)
			if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
				return kib << 10
			}
		}
	}
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Maxrss << 10
}
