package device

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Linux says of memory that large pages were asked for, from its first whole page to its last. What
// is smaller than a page, or nothing, is left as it is.
func TestLargePages(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skipf("this Linux has no large pages to ask for, and fcnx runs without: %v", err)
	}
	page := os.Getpagesize()
	data, err := unix.Mmap(-1, 0, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Munmap(data)) }()
	for _, c := range []struct {
		from, to int
		want     string // of each page: whether it was asked for
	}{
		{0, 0, "...."},
		{0, page - 1, "...."},
		{1, 2*page - 1, "...."},
		{1, 2 * page, ".#.."},
		{page - 1, 3 * page, ".##."},
		{2 * page, 4*page - 1, "..#."},
		{0, 4 * page, "####"},
	} {
		t.Run(fmt.Sprintf("%d to %d", c.from, c.to), func(t *testing.T) {
			require.NoError(t, unix.Madvise(data, unix.MADV_NOHUGEPAGE))
			LargePages(data[c.from:c.to])
			got := ""
			for at := range 4 {
				if asked(t, uintptr(unsafe.Pointer(&data[at*page]))) {
					got += "#"
				} else {
					got += "."
				}
			}
			require.Equal(t, c.want, got)
		})
	}
	LargePages(nil)
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
	t.Fatalf("/proc/self/smaps has nothing of %x, or no VmFlags", at)
	return false
}
