// Package memtest holds what a reader of strange bytes takes from memory to what
// their number allows.
//
// Go's fuzzing has no limit of its own: an input of sixty bytes that asks for ten
// gigabytes is found by nobody on a machine that has them, and ends more than the
// fuzzing on one that has not. So every target begins with [Cap], and those that
// read bytes run their reader [Within] a bound.
package memtest

import (
	"flag"
	"runtime"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"
)

// capBytes is far more than any target takes: Go's own, and that of what it is linked
// with, is a tenth of it.
const capBytes = 1 << 30

// Cap gives the process of a fuzzing worker, which does nothing else, 1 GiB of memory
// for good. An input that asks for more ends it with "out of memory", and go test keeps
// that input as it keeps any that fails. A process that runs the seeds among other
// tests is left alone; there [Within] has to see it.
//
// Address space is not what is limited, because Go reserves much of it; what counts is
// what can be written to.
func Cap(f *testing.F) {
	f.Helper()
	worker := flag.Lookup("test.fuzzworker")
	if worker == nil || worker.Value.String() != "true" {
		return
	}
	// Garbage is no reason to end: it is collected before it comes to that.
	debug.SetMemoryLimit(capBytes * 3 / 4)
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: capBytes, Max: capBytes}); err != nil {
		f.Fatal("fuzzing without a limit of memory is not safe: ", err)
	}
}

// Allocated is what f asks of the memory, in bytes, freed since or not. What other
// goroutines ask for meanwhile counts too: a worker has none, and tests that measure do
// not run in parallel.
func Allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc) // #nosec G115 -- what one test asks for
}

// Bound is what a reader may ask for: so many bytes for any input, and so many more for
// each of its bytes.
type Bound struct{ Any, PerByte int64 }

// Within fails t where read, which is given length bytes, asks for more.
func (b Bound) Within(t testing.TB, length int, read func()) {
	t.Helper()
	most := b.Any + b.PerByte*int64(length)
	if used := Allocated(read); used > most {
		t.Fatalf("reading %d bytes asked for %d bytes of memory; %d are allowed", length, used, most)
	}
}
