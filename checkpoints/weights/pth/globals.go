package pth

import (
	"fmt"
	"strconv"
)

// GlobalError says that a file names a class or function that no state dict needs.
// Nothing of the file was run.
type GlobalError struct{ Name string }

func (e *GlobalError) Error() string {
	return fmt.Sprintf("the file wants to call %.120s; it is not a state dict and nothing of it was run. Ask its author for what torch.save(net.state_dict(), FILE) writes", e.Name)
}

// global is a class or function of Python's that a file may name. What a call of it
// gives is worked out by call, and a global without one can only be an argument.
type global struct {
	name string
	call func(args tuple) (value, error)
}

// qualified is the name of a global in one word. Newlines and the like do not reach
// the terminal.
func qualified(module, name string) string {
	q := strconv.Quote(module + "." + name)
	return q[1 : len(q)-1]
}

// calls are the functions and classes that a file may call.
var calls = map[string]func(args tuple) (value, error){
	"collections.OrderedDict":                        newDict,
	"collections.defaultdict":                        func(tuple) (value, error) { return &dict{}, nil },
	"builtins.dict":                                  newDict,
	"torch.Size":                                     newSize,
	"torch._utils._rebuild_tensor":                   rebuildTensor,
	"torch._utils._rebuild_tensor_v2":                rebuildTensor,
	"torch._utils._rebuild_tensor_v3":                rebuildTyped,
	"torch._utils._rebuild_parameter":                rebuildParameter,
	"torch._utils._rebuild_parameter_with_state":     rebuildParameter,
	"torch._tensor._rebuild_from_type_v2":            rebuildFromType,
	"torch._utils._rebuild_sparse_tensor":            cannotRead("is sparse"),
	"torch._utils._rebuild_sparse_csr_tensor":        cannotRead("is sparse"),
	"torch._utils._rebuild_nested_tensor":            cannotRead("is a nested tensor"),
	"torch._utils._rebuild_qtensor":                  cannotRead("is quantised"),
	"torch._utils._rebuild_meta_tensor_no_storage":   cannotRead("is on the device meta, that is to say without values"),
	"torch._utils._rebuild_device_tensor_from_numpy": cannotRead("is saved through numpy"),
}

// inert are the classes and functions whose results are read over: they make values
// that checkpoints have beside their tensors.
var inert = []string{
	"builtins.set", "builtins.frozenset", "builtins.list", "builtins.tuple", "builtins.int", "builtins.float",
	"builtins.str", "builtins.bytes", "builtins.bytearray", "builtins.complex", "builtins.slice", "builtins.object", "builtins.bool",
	"_codecs.encode", "copyreg._reconstructor",
	"collections.Counter", "collections.deque",
	"numpy.dtype", "numpy.ndarray",
	"numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
	"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
	"numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer",
	"argparse.Namespace",
	"pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "pathlib.PureWindowsPath", "pathlib.Path",
	"pathlib._local.PosixPath", "pathlib._local.WindowsPath",
	"datetime.datetime", "datetime.date", "datetime.timedelta",
	"torch.device", "torch.serialization._get_layout",
}

// arguments are the classes and constants that are only handed to others.
var arguments = []string{
	"torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer",
	"torch.per_tensor_affine", "torch.per_tensor_symmetric", "torch.per_channel_affine", "torch.per_channel_symmetric",
	"torch.per_channel_affine_float_qparams",
	"torch.strided", "torch.contiguous_format", "torch.channels_last", "torch.preserve_format",
}

// renamed are Python 2's names of modules, which protocol 2 writes to this day.
var renamed = map[string]string{"__builtin__": "builtins", "copy_reg": "copyreg"}

var globals = func() map[string]*global {
	all := map[string]*global{}
	for name, call := range calls {
		all[name] = &global{name, call}
	}
	for _, name := range inert {
		all[name] = &global{name, func(tuple) (value, error) { return opaque{}, nil }}
	}
	for _, name := range arguments {
		all[name] = &global{name, nil}
	}
	for name := range storageTypes {
		all[name] = &global{name, nil}
	}
	for name := range dtypes {
		all[name] = &global{name, nil}
	}
	return all
}()

// global pushes what a file names, if it is known.
func (m *machine) global(module, name string) error {
	original := qualified(module, name)
	if today, isOld := renamed[module]; isOld {
		module = today
	}
	g, known := globals[module+"."+name]
	// A dot inside would name what is inside of a class.
	if !known {
		return &GlobalError{original}
	}
	return m.push(g)
}

// reduce calls the first of the n topmost values with the second.
func (m *machine) reduce(n int) error {
	v, err := m.popN(n)
	if err != nil {
		return err
	}
	return m.call(v[0], v[1])
}

// call pushes what a call would give.
func (m *machine) call(function, args value) error {
	g, isGlobal := function.(*global)
	list, isTuple := args.(tuple)
	switch {
	case !isGlobal || !isTuple:
		return fmt.Errorf("the pickle calls %s with %s", kindOf(function), kindOf(args))
	case g.call == nil:
		return fmt.Errorf("the pickle calls %s, which nothing does in a state dict; nothing of it was run", g.name)
	}
	v, err := g.call(list)
	if err != nil {
		return fmt.Errorf("%s: %w", g.name, err)
	}
	return m.push(v)
}
