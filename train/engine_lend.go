package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/fcnx/fcnx/models"
)

// lent is a store for graphs that are compiled beside steps: of evaluation and prediction,
// which only read variables, and of steps for other shapes of batch. Its variables have no
// values of their own. They are lent those of the engine while a graph runs, which copies
// nothing; what the graph has made of them goes back.
//
// So such a graph can be built and compiled while a step runs. In the engine's own store it
// could not: GoMLX v0.28.2 reads a variable's shape when it builds a graph (Variable.paramNode
// and ChangedInGraph in ml/model/variable.go), and writes it, without a lock, when a step has
// a new value (Variable.SetValuePreservingOld, by Exec.collectOutputs in ml/model/exec.go);
// and a step can add variables to the list that is gone through meanwhile (Store.setVariable).
// The caches of its executors have locks (graph.Exec.findOrCreateGraph), and PJRT compiles
// beside what runs.
type lent struct {
	mu    sync.Mutex // held while a graph of those that share it is built, and while one runs
	store *model.Store
	from  *model.Store
	mesh  *mesh
}

func newLent(from *model.Store, mesh *mesh) *lent {
	return &lent{store: model.NewStore(), from: from, mesh: mesh}
}

// during lends the variables to the graph that exec has for inputs, which it compiles if
// need be, while run runs it.
func (l *lent) during(exec *model.Exec, inputs []*tensors.Tensor, run func() error) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := exec.Compile(shapesOf(inputs)...); err != nil {
		finalize(inputs)
		return err
	}
	var loans []loan
	defer func() {
		for _, loan := range loans {
			if back := l.takeBack(loan.own, loan.to); back != nil && err == nil {
				err = fmt.Errorf("variable %s: %w", loan.to.Path(), back)
			}
		}
	}()
	for v := range l.store.IterVariables() {
		own := l.from.GetVariable(v.Path()) // loaded by now, if it was not
		if err := l.lend(own, v); err != nil {
			finalize(inputs)
			return fmt.Errorf("variable %s: %w", v.Path(), err)
		}
		loans = append(loans, loan{own, v})
	}
	return run()
}

// loan is a variable of the engine, and the one that has its value meanwhile.
type loan struct{ own, to *model.Variable }

func (l *lent) lend(own, to *model.Variable) error {
	if own == nil {
		return errors.New("there is none")
	}
	if !own.Shape().Equal(to.Shape()) {
		return fmt.Errorf("its shape is %s, the graph's is %s", own.Shape(), to.Shape())
	}
	if l.mesh == nil {
		value, err := own.Value()
		if err != nil {
			return err
		}
		return to.SetValuePreservingOld(value)
	}
	if err := l.mesh.placeOnce(own); err != nil {
		return err
	}
	all, err := own.DistributedValue()
	if err != nil {
		return err
	}
	return to.SetDistributedValue(all)
}

// fits holds the variables that graphs have asked for to those of the network.
func (l *lent) fits(network map[string]models.Variable) error {
	for v := range l.store.IterVariables() {
		path := strings.TrimPrefix(v.Path(), "/")
		if spec, ok := network[path]; !ok || !slices.Equal(spec.Shape, v.Shape().Dimensions) {
			return fmt.Errorf("variable %s: its shape is %v, the graph's is %v", path, spec.Shape, v.Shape().Dimensions)
		}
	}
	return nil
}

// takeBack gives own what has become of its value, and leaves to without one.
func (l *lent) takeBack(own, to *model.Variable) error {
	defer func() { _ = to.SetValuePreservingOld(nil) }() // fails for an invalid variable alone, and none is
	if !to.HasValue() {
		return own.Reset() // a step that failed has used it up
	}
	if l.mesh != nil {
		return giveBack(own.DistributedValue, to.DistributedValue, own.SetDistributedValue)
	}
	return giveBack(own.Value, to.Value, own.SetValue)
}

// giveBack sets what was to what is, if that is another one: then nothing is left of what was.
func giveBack[T comparable](was, is func() (T, error), set func(T) error) error {
	before, err := was()
	if err != nil {
		return err
	}
	now, err := is()
	if err != nil || now == before {
		return err
	}
	return set(now)
}
