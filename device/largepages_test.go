package device

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Linux says of memory that large pages were asked for, from its first whole page to its last. What
// is smaller than a page, or nothing, is left as it is.
func TestLargePages(t *testing.T) {
	LargePages(nil)
	LargePages(make([]byte, 100))
	data, err := syscall.Mmap(-1, 0, 8<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	defer syscall.Munmap(data)
	LargePages(data[1 : len(data)-1])
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what was asked for: /proc/self/smaps")
	}
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	require.False(t, asked(t, begin))
	require.True(t, asked(t, begin+uintptr(os.Getpagesize())))
	require.True(t, asked(t, begin+uintptr(len(data)-os.Getpagesize()-1)))
	require.False(t, asked(t, begin+uintptr(len(data)-1)))
}

// asked tells whether large pages were asked for at an address.
func asked(t *testing.T, at uintptr) bool {
	f, err := os.Open("/proc/self/smaps")
	require.NoError(t, err)
	defer f.Close()
	within := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &from, &to); n == 2 {
			within = from <= at && at < to
		}
		if flags, ok := strings.CutPrefix(lines.Text(), "VmFlags:"); ok && within {
			return strings.Contains(flags+" ", " hg ")
		}
	}
	t.Fatalf("no mapping at %x", at)
	return false
}
