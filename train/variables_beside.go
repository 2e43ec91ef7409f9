package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// beside are the values of variables that are made while XLA compiles the first training step,
// which keeps one core busy and the graph needs only their shapes. Without that, drawing
// 134 M weights and clearing as many momenta would come before it and after it.
//
// Nobody touches the store for it before the compilation is over.
type beside struct {
	loader  *loader
	weights []string // paths, in the order of the network
	slots   chan map[string]shapes.Shape
	over    chan struct{}
	values  map[string]*tensors.Tensor
	err     error
}

// loadBeside begins to make the values of the network's variables, of which the store has
// none yet. The loader gives the store none of them from here on, until the end of settle.
func (l *loader) loadBeside(order []string) *beside {
	b := &beside{
		loader: l, weights: order, slots: make(chan map[string]shapes.Shape, 1),
		over: make(chan struct{}), values: map[string]*tensors.Tensor{},
	}
	l.mu.Lock()
	l.later = true
	l.mu.Unlock()
	go func() {
		defer close(b.over)
		b.err = b.run()
	}()
	return b
}

func (b *beside) run() (err error) {
	defer recoverInto(&err, "loading variables")
	for _, path := range b.weights {
		if b.values[path], err = b.loader.load(path); err != nil {
			return fmt.Errorf("variable %s: %w", path, err)
		}
	}
	for path, shape := range <-b.slots {
		t, err := b.loader.zeros(shape)
		b.values[path] = t
		if err == nil {
			err = b.loader.place(t)
		}
		if err != nil {
			return fmt.Errorf("variable %s: %w", path, err)
		}
	}
	return nil
}

// built tells, at the end of the graph, of the variables of which nobody has a value: an
// optimiser's slots, which begin at zero.
func (b *beside) built(store *model.Store) {
	if b == nil {
		return
	}
	slots := map[string]shapes.Shape{}
	for v := range store.IterVariables() {
		if path := strings.TrimPrefix(v.Path(), "/"); !v.HasValue() && !slices.Contains(b.weights, path) {
			slots[path] = v.Shape()
		}
	}
	b.slots <- slots
}

// settle gives the store the values, when the compilation is over, whatever came of it.
func (b *beside) settle(store *model.Store) error {
	select {
	case b.slots <- nil: // the graph was not built to its end
	default:
	}
	<-b.over
	b.loader.mu.Lock()
	b.loader.later = false
	b.loader.mu.Unlock()
	err := b.err
	for v := range store.IterVariables() {
		path := strings.TrimPrefix(v.Path(), "/")
		switch t := b.values[path]; {
		case t == nil || v.HasValue():
		case !t.Shape().Equal(v.Shape()):
			err = errors.Join(err, fmt.Errorf("variable %s: its shape is %s, the graph's is %s", path, t.Shape(), v.Shape()))
		default:
			err = errors.Join(err, v.SetValue(t))
			delete(b.values, path)
		}
	}
	for _, t := range b.values { // which no variable has, where the graph could not be built
		if t != nil {
			_ = t.FinalizeAll()
		}
	}
	return err
}

// missing lists the variables of the network that have no value yet, in its order.
func (e *Engine) missing() []string {
	there := map[string]bool{}
	for v := range e.store.IterVariables() {
		there[v.Path()] = v.HasValue()
	}
	var missing []string
	for _, v := range e.net.Variables() {
		if !there["/"+v.Path()] {
			missing = append(missing, v.Path())
		}
	}
	return missing
}

// build compiles a graph for inputs of these shapes, and for the first training step makes
// the values of the variables meanwhile.
func (e *Engine) build(kind graphKind, dims []shapes.Shape) (g *graph.Graph, err error) {
	missing := []string(nil)
	if kind.exec == e.step {
		missing = e.missing()
	}
	if len(missing) > 0 {
		e.beside = e.loader.loadBeside(missing)
		defer func() {
			err = errors.Join(err, e.beside.settle(e.store))
			e.beside = nil
		}()
	}
	defer recoverInto(&err, "building the graph")
	if g, err = kind.exec.Compile(dims...); err != nil {
		return nil, err
	}
	switch {
	case kind.shared != nil:
		err = kind.shared.fits(e.loader.vars)
	case kind.exec == e.step && e.update != nil:
		if _, err = e.compileUpdate(); err == nil && e.held == nil {
			e.held = bytesOf(e.store)
		}
	}
	return g, err
}
