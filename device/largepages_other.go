//go:build !linux

package device

// LargePages asks for none: only Linux wants to be asked.
func LargePages([]byte) {}
