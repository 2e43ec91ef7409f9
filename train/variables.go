package train

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/models"
)

// Variable describes one variable of a run, as it lies in a checkpoint.
type Variable struct {
	Path  string // "conv1_1/weight", "sgd/conv1_1/weight"
	DType string // as safetensors names it: "F32", "I64", "U64"
	Shape []int
}

// Values is where variables come from that do not start fresh: a checkpoint, or a
// file of weights.
type Values interface {
	// Paths lists what there is.
	Paths() []string
	// Find tells the type and shape of the variable at path.
	Find(path string) (dtype string, shape []int, ok bool)
	// Read fills dst with the variable's bytes.
	Read(path string, dst []byte) error
}

// storeDTypes are the types that variables have, by their safetensors names.
var storeDTypes = map[string]dtypes.DType{
	"F32": dtypes.Float32, "BF16": dtypes.BFloat16, "F16": dtypes.Float16, "F64": dtypes.Float64,
	"I32": dtypes.Int32, "I64": dtypes.Int64, "U32": dtypes.Uint32, "U64": dtypes.Uint64,
}

// worthFreeing is from how many bytes on Go is asked to give them back at once: those of
// fc7, 4096 to 4096 channels, and of fc6. Else they stay until Go has made as many more.
const worthFreeing = 64 << 20

// worthLargePages is from how many bytes on large pages are asked for: two, of 2 MB.
const worthLargePages = 4 << 20

// loader gives a GoMLX store each variable at the moment when a graph first asks
// for it: from values where they have it, else as the network's variables start.
// It puts them on the device one by one, so that the host never holds them all.
// An optimiser's slot that values do not have is left to start at zero.
//
// It implements [model.Loader]; what goes wrong panics, because that interface has
// no error, and is recovered where the graph is compiled.
type loader struct {
	backend compute.Backend
	vars    map[string]models.Variable
	values  Values       // may be nil
	large   func([]byte) // EngineConfig.LargePages; may be nil
	seed    uint64

	mu    sync.Mutex
	used  map[string]bool
	later bool // the network's variables get their values later, by [beside]

	reading sync.Mutex // held while values are read
}

func newStore(backend compute.Backend, cfg EngineConfig) (*model.Store, *loader) {
	l := &loader{
		backend: backend, vars: map[string]models.Variable{}, values: cfg.Values, large: cfg.LargePages, seed: cfg.Seed, used: map[string]bool{},
	}
	for _, v := range cfg.Net.Variables() {
		l.vars[v.Path()] = v
	}
	store := model.NewStore()
	store.SetLoader(l)
	return store, l
}

// LoadVariable implements [model.Loader].
func (l *loader) LoadVariable(_ *model.Store, fullPath string) (*tensors.Tensor, bool) {
	path := strings.TrimPrefix(fullPath, "/")
	if l.leaves(path) {
		return nil, false
	}
	t, err := l.load(path)
	if err != nil {
		panic(fmt.Errorf("variable %s: %w", path, err))
	}
	return t, t != nil
}

// DeleteVariable implements [model.Loader].
func (l *loader) DeleteVariable(*model.Store, string) error { return nil }

// leaves tells whether the variable at path gets its value from elsewhere.
func (l *loader) leaves(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ours := l.vars[path]
	return ours && l.later
}

func (l *loader) load(path string) (*tensors.Tensor, error) {
	spec, ours := l.vars[path]
	var t *tensors.Tensor
	var err error
	if dtype, shape, ok := l.find(path); ok {
		if ours && !slices.Equal(shape, spec.Shape) {
			return nil, fmt.Errorf("its stored shape is %v, the network's is %v", shape, spec.Shape)
		}
		known, ok := storeDTypes[dtype]
		if !ok {
			return nil, fmt.Errorf("it is stored as %s, a type that no variable has", dtype)
		}
		if t, err = l.zeros(shapes.Make(known, shape...)); err != nil {
			return nil, err
		}
		l.reading.Lock()
		bytesErr := t.MutableBytes(func(data []byte) { err = l.values.Read(path, data) })
		l.reading.Unlock()
		if bytesErr != nil {
			err = bytesErr
		}
	} else if ours {
		if t, err = l.zeros(shapes.Make(dtypes.Float32, spec.Shape...)); err != nil {
			return nil, err
		}
		err = t.MutableFlatData(func(flat any) { spec.Initial(l.seed, flat.([]float32)) })
	} else {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return t, l.place(t)
}

// zeros is a tensor in the host's memory, in large pages where it is large.
func (l *loader) zeros(shape shapes.Shape) (t *tensors.Tensor, err error) {
	t = tensors.FromShape(shape)
	if l.large != nil && t.ByteSize() >= worthLargePages {
		err = t.MutableBytes(l.large)
	}
	return t, err
}

// place leaves a tensor on the device alone.
func (l *loader) place(t *tensors.Tensor) error {
	if err := t.MaterializeOnDevice(l.backend, false, 0); err != nil {
		return err
	}
	t.FinalizeLocal()
	if t.ByteSize() >= worthFreeing {
		debug.FreeOSMemory() // fc6 has 411 MB, fc7 67, and the step's peak is to come
	}
	return nil
}

func (l *loader) find(path string) (dtype string, shape []int, ok bool) {
	if l.values == nil {
		return "", nil, false
	}
	dtype, shape, ok = l.values.Find(path)
	if ok {
		l.mu.Lock()
		l.used[path] = true
		l.mu.Unlock()
	}
	return dtype, shape, ok
}

// unused lists what the values have and no graph asked for.
func (l *loader) unused() []string {
	if l.values == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.values.Paths()), func(path string) bool { return l.used[path] })
}

// stored shows use the bytes of a variable that no graph has asked for, as they came.
func (l *loader) stored(path string, use func(dtype dtypes.DType, data []byte) error) error {
	dtype, shape, _ := l.values.Find(path)
	known, ok := storeDTypes[dtype]
	if !ok {
		return fmt.Errorf("variable %s is stored as %s, a type that no variable has", path, dtype)
	}
	data := make([]byte, shapes.Make(known, shape...).ByteSize())
	if err := l.values.Read(path, data); err != nil {
		return fmt.Errorf("variable %s: %w", path, err)
	}
	return use(known, data)
}
