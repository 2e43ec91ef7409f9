package device

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
static void trim(void) { malloc_trim(0); }
#else
static void trim(void) {}
#endif
*/
import "C"

// Trim gives what malloc keeps free back to the system, where malloc is glibc's. XLA's
// compiler leaves half a gigabyte of that in its threads' arenas, where nothing that is
// computed later can use it (docs/benchmarks.md). It takes up to a tenth of a second.
func Trim() { C.trim() }
