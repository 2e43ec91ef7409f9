package train

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Memory is XLA's own account of a compiled graph, in bytes on the device.
type Memory struct {
	// Arguments are the batch, the weights and the optimiser's slots.
	Arguments int64 `json:"arguments"`
	// Outputs are what comes out, new weights among it.
	Outputs int64 `json:"outputs"`
	// Aliased is the part of the outputs that is written over arguments.
	Aliased int64 `json:"aliased"`
	// Temporaries are what the graph keeps while it runs: activations above all.
	Temporaries int64 `json:"temporaries"`
	// Code is the program; on the CPU XLA counts it as nothing.
	Code int64 `json:"code"`
}

// Needed is what has to be free on the device to run the graph: all of it, but what
// is aliased only once. XLA's allocator may take more.
func (m Memory) Needed() int64 {
	return m.Arguments + m.Outputs - m.Aliased + m.Temporaries + m.Code
}

// ErrNoMemoryStats says that a backend does not tell what a graph needs. XLA does.
var ErrNoMemoryStats = errors.New("the backend does not tell how much memory a compiled graph needs")

// StepMemory compiles the training step for a batch of n images of h by w pixels and
// tells what it needs, without holding weights or running anything. The error is
// [ErrNoMemoryStats] where the backend does not tell, before anything is compiled.
func (e *Engine) StepMemory(n, h, w int) (Memory, error) {
	rest := []shapes.Shape{shapes.Make(dtypes.Float32), graph.RNGStateShape}
	if micro := e.cfg.Accumulate; micro > 1 {
		if n%micro != 0 {
			return Memory{}, fmt.Errorf("a batch of %d images cannot be computed as %d equal micro-batches", n, micro)
		}
		return e.memory("training step", n/micro, h, w, (*Engine).microGraph, (*Engine).stepByMemory, rest...)
	}
	return e.memory("training step", n, h, w, (*Engine).stepGraph, graphMemory, rest...)
}

func graphMemory(_ *Engine, g *graph.Graph) (Memory, error) { return memoryOf(g) }

// EvalMemory is StepMemory for scoring a batch whose labels have the images' size.
func (e *Engine) EvalMemory(n, h, w int) (Memory, error) {
	return e.memory("evaluation", n, h, w, (*Engine).evalGraph, graphMemory, shapes.Make(dtypes.Int32, n, 2))
}

// memory compiles what build builds, for pixels, labels and rest as of stepInputs and
// evalInputs, and has tell tell of it.
func (e *Engine) memory(kind string, n, h, w int, build func(*Engine, *model.Scope, []*graph.Node) []*graph.Node,
	tell func(*Engine, *graph.Graph) (Memory, error), rest ...shapes.Shape) (m Memory, err error) {
	if _, ok := e.backend.(*xla.Backend); !ok {
		return m, ErrNoMemoryStats
	}
	what := fmt.Sprintf("compiling the %s %dx%dx%d", kind, n, h, w)
	defer recoverInto(&err, what)

	// A store without a loader has no values: its variables would start when a graph
	// runs, and none does.
	probe := *e
	probe.store, probe.debug = model.NewStore(), nil
	exec, err := model.NewExec(e.backend, probe.store, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
		return build(&probe, scope, in)
	})
	if err != nil {
		return m, fmt.Errorf("%s: %w", what, err)
	}
	defer probe.store.Finalize()
	defer exec.Finalize()
	if e.update != nil {
		if probe.update, err = model.NewExec(e.backend, probe.store, probe.updateGraph); err != nil {
			return m, fmt.Errorf("%s: %w", what, err)
		}
		defer probe.update.Finalize()
	}
	g, err := exec.Compile(append([]shapes.Shape{
		shapes.Make(dtypes.Uint8, n, h, w, 3), shapes.Make(dtypes.Int32, n, 2), shapes.Make(dtypes.Uint8, n, h, w),
	}, rest...)...)
	if err != nil {
		return m, fmt.Errorf("%s: %w", what, err)
	}
	return tell(&probe, g)
}

// memoryOf is what XLA says of a compiled graph. GoMLX does not pass it on, hence the
// look into an unexported field, as in donate.
func memoryOf(g *graph.Graph) (Memory, error) {
	executable, ok := g.Executable().(*xla.Executable)
	if !ok {
		return Memory{}, ErrNoMemoryStats
	}
	loaded, ok := field[*pjrt.LoadedExecutable](executable, "exec")
	if !ok {
		return Memory{}, ErrNoMemoryStats
	}
	s := (*loaded).OnDeviceMemoryUsageStats
	return Memory{Arguments: s.Inputs, Outputs: s.Outputs, Aliased: s.Aliases, Temporaries: s.Temporary, Code: s.GeneratedCode}, nil
}
