package main

import (
	"os"
	"runtime"
	"syscall"
)

// tunables is where glibc looks, when a process starts, for how malloc behaves.
const tunables = "GLIBC_TUNABLES"

// useHugePages lets malloc ask for large pages, which XLA's buffers of hundreds of
// megabytes want: a step is 3 to 8% faster on the CPU (docs/benchmarks.md). glibc
// reads that from the environment once, before main, so the process replaces itself
// by itself; it stays the same process to everybody else. Whoever has set the
// variable keeps what it says, and where the restart fails nothing is lost but speed.
func useHugePages() {
	if runtime.GOOS != "linux" {
		return
	}
	if _, set := os.LookupEnv(tunables); set {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	_ = syscall.Exec(self, os.Args, append(os.Environ(), tunables+"=glibc.malloc.hugetlb=1")) // #nosec G204 G702 -- this program itself, as it was started
}
