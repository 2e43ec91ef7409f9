package train

import (
	"reflect"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/stablehlo"
	"github.com/gomlx/gomlx/core/graph"
)

// donate lets XLA write a new value of the variable whose parameter is node into
// the memory of the old one. GoMLX hands the old buffers over when it runs a step,
// but go-xla v0.4.1 does not say so when it compiles one, and then XLA keeps old
// and new side by side: 1 GB more for FCN-8s VGG16 with momentum, and a copy of
// all of it each step.
//
// What is missing is one attribute on the parameter, "jax.buffer_donor". No exported
// way leads there, hence the look into two unexported fields. On another backend,
// or should a field be gone in another version, nothing happens but that the memory
// is not saved; TestDonationSavesMemory would tell.
func donate(node *graph.Node) {
	values, ok := field[[]compute.Value](node, "outputOps")
	if !ok || len(*values) != 1 {
		return
	}
	parameter, ok := (*values)[0].(*xla.Node)
	if !ok {
		return
	}
	value, ok := field[*stablehlo.Value](parameter, "value")
	if !ok || (*value).OpName() != stablehlo.InputParameterName {
		return
	}
	if (*value).Attributes == nil {
		(*value).Attributes = map[string]any{}
	}
	(*value).Attributes["jax.buffer_donor"] = true
}

// field points at the unexported field of *s called name, if it is there and a T.
func field[T any, S any](s *S, name string) (*T, bool) {
	f := reflect.ValueOf(s).Elem().FieldByName(name)
	if !f.IsValid() || f.Type() != reflect.TypeFor[T]() {
		return nil, false
	}
	return (*T)(unsafe.Pointer(f.UnsafeAddr())), true // #nosec G103 -- a field of a known type, which reflection may not set
}
