package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// freeMemory is how many bytes this process may yet have: those that the machine has
// free, or that its container is allowed to use. 0 where nobody tells.
func freeMemory() int64 {
	_, free := memory()
	read := func(name string) []byte {
		text, _ := os.ReadFile("/sys/fs/cgroup/" + name)
		return text
	}
	if left, ok := containerMemory(read("memory.max"), read("memory.current"), read("memory.stat")); ok && (free <= 0 || left < free) {
		free = left
	}
	return free
}

// containerMemory is what is left of the limit of a container, from the files of cgroup v2
// of these names; ok is false without a limit. Files that the kernel keeps in memory and can
// let go of are counted as free.
func containerMemory(limit, current, stat []byte) (left int64, ok bool) {
	most, errLimit := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64)
	used, errUsed := strconv.ParseInt(strings.TrimSpace(string(current)), 10, 64)
	if errLimit != nil || errUsed != nil { // "max", or no such file
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(stat)); lines.Scan(); {
		var name string
		var n int64
		if _, err := fmt.Sscan(lines.Text(), &name, &n); err == nil && name == "inactive_file" {
			used -= n
		}
	}
	return max(0, most-used), true
}
