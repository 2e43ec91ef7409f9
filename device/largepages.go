package device

/*
#include <stddef.h>
#include <stdint.h>
#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
static void large_pages(void *data, size_t size) {
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)data + page - 1) / page * page, to = ((uintptr_t)data + size) / page * page;
	if (from < to) madvise((void *)from, to - from, MADV_HUGEPAGE);
}
#else
static void large_pages(void *data, size_t size) {}
#endif
*/
import "C"

import "unsafe"

// LargePages asks the system for large pages under data, before anything is written to it: a
// page of 4 KB takes longer to get than to fill, and a network's weights in Go's memory have
// a hundred thousand. It asks nothing of a system that has none.
func LargePages(data []byte) {
	C.large_pages(unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)))
}
