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

	"github.com/fcnx/fcnx/train/event"
)

// Memory is XLA's own account of a compiled graph, in bytes on the device.
type Memory = event.CompiledMemory

// ErrNoMemoryStats says that a backend does not tell what a graph needs. XLA does.
var ErrNoMemoryStats = errors.New("the backend does not tell how much memory a compiled graph needs")

// StepMemory compiles the training step for a batch of n images of h by w pixels and
// tells what it needs, without holding weights or running anything. The error is
// [ErrNoMemoryStats] where the backend does not tell, before anything is compiled.
func (e *Engine) StepMemory(n, h, w int) (Memory, error) {
	build := (*Engine).stepGraph
	if e.update != nil {
		if err := e.checkMicro(n); err != nil {
			return Memory{}, err
		}
		n /= e.cfg.Accumulate
		build = (*Engine).microGraph
	}
	return e.memory("training step", n, h, w, build, (*Engine).stepMemory, shapes.Make(dtypes.Float32), graph.RNGStateShape)
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
	probe.store, probe.held, probe.debug = model.NewStore(), nil, nil
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
