package device

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LargePages asks the system for large pages under data, before anything is written to it: a
// page of 4 KB takes longer to get than to fill, and a network's weights in Go's memory have
// a hundred thousand. Only whole pages within data are asked for, and nothing of a system that has
// no large ones.
//
// What is asked for stays with the addresses. Memory that Go has used before it has cleared, so it gains
// only if it was asked for then too; and what Go puts there later comes in large pages as well.
func LargePages(data []byte) {
	page := uintptr(os.Getpagesize())
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(data))) % page // #nosec G103 -- where data begins, for its remainder alone
	if size := uintptr(len(data)); size >= skip+page {
		_ = unix.Madvise(data[skip:skip+(size-skip)/page*page], unix.MADV_HUGEPAGE)
	}
}
