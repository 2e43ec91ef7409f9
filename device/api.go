package device

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

typedef const void *(*get_api)(void);
static const void *call_get_api(void *f) { return ((get_api)f)(); }
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"
)

// apiHead is how a PJRT_Api begins, in any version of the API. After it come pointers
// to functions, in an order that only grows at its end.
type apiHead struct {
	size      uintptr // of all of the PJRT_Api, in bytes
	extension unsafe.Pointer
	version   struct {
		size         uintptr
		extension    unsafe.Pointer
		major, minor int32
	}
}

// apiMajor is the major version of the PJRT API that go-xla is built for; another one
// has other functions at the same places.
const apiMajor = 0

// apiNeeds are functions without which nothing can be computed, by their place behind
// the head. The last is the youngest that every plugin must have; what go-xla calls
// beyond it (PJRT_Buffer_Bitcast) no network here uses. A test compares the places with
// the header that go-xla is compiled with.
var apiNeeds = []struct {
	place int
	name  string
}{
	{0, "PJRT_Error_Destroy"},
	{1, "PJRT_Error_Message"},
	{3, "PJRT_Plugin_Initialize"},
	{4, "PJRT_Plugin_Attributes"},
	{10, "PJRT_Client_Create"},
	{20, "PJRT_Client_Compile"},
	{22, "PJRT_Client_BufferFromHostBuffer"},
	{55, "PJRT_LoadedExecutable_Execute"},
	{70, "PJRT_Buffer_ToHostBuffer"},
	{96, "PJRT_Executable_GetCompiledMemoryStats"},
}

// tryHere loads the library at path into this process, asks for its API and looks at
// the head of that. It calls nothing else. Its errors leave it to the caller to name the
// file.
func tryHere(path string) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name)) // #nosec G103 -- C's memory, given back where it was taken
	// dlerror tells of the thread that it is called on.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	handle := C.dlopen(name, C.RTLD_LAZY|C.RTLD_LOCAL)
	if handle == nil {
		return errors.New(strings.TrimPrefix(C.GoString(C.dlerror()), path+": "))
	}
	defer C.dlclose(handle)
	symbol := C.CString("GetPjrtApi")
	defer C.free(unsafe.Pointer(symbol)) // #nosec G103 -- as above
	get := C.dlsym(handle, symbol)
	if get == nil {
		return errors.New("it exports no GetPjrtApi")
	}
	return checkAPI(unsafe.Pointer(C.call_get_api(get))) // #nosec G103 -- what follows reads no further than the API says that it goes
}

// checkAPI looks at the head of a PJRT_Api.
func checkAPI(api unsafe.Pointer) error {
	if api == nil {
		return errors.New("its GetPjrtApi gives no API")
	}
	head := (*apiHead)(api)
	if head.size < unsafe.Sizeof(*head) { // #nosec G103 -- a size, known to the compiler
		return fmt.Errorf("its GetPjrtApi gives an API of %d bytes, which is none", head.size)
	}
	if v := head.version; v.major != apiMajor {
		return fmt.Errorf("it has version %d.%d of the PJRT API, and fcnx speaks version %d", v.major, v.minor, apiMajor)
	}
	for _, f := range apiNeeds {
		at := unsafe.Sizeof(*head) + uintptr(f.place)*unsafe.Sizeof(uintptr(0))                         // #nosec G103 G115 -- sizes and places in a table
		if at+unsafe.Sizeof(uintptr(0)) > head.size || *(*unsafe.Pointer)(unsafe.Add(api, at)) == nil { // #nosec G103 -- inside of what the API says is its own
			return fmt.Errorf("its version %d.%d of the PJRT API lacks %s", head.version.major, head.version.minor, f.name)
		}
	}
	return nil
}
