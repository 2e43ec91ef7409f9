package models

import (
	"github.com/gomlx/gomlx/core/graph"
)

// Recomputed remembers, while a graph is built, the stages of the encoder of which only
// what they pool is kept for the way back: what lies inside a stage is computed again when
// the gradient comes to it (activation checkpointing; Chen et al. 2016). A nil one keeps
// everything, as graph.Gradient does.
type Recomputed struct{ stages []recomputedStage }

// recomputedStage is one stage of the encoder.
type recomputedStage struct {
	in, out *graph.Node
	again   func(in *graph.Node) *graph.Node // the same stage, without side effects
}

// stage computes out = forward(in), and remembers how to do it again.
func (r *Recomputed) stage(in *graph.Node, pass Pass, forward func(*graph.Node, Pass) *graph.Node) *graph.Node {
	if r == nil {
		return forward(in, pass)
	}
	in = graph.StopGradient(in)
	quiet := pass
	quiet.Tap, quiet.again = nil, true
	r.stages = append(r.stages, recomputedStage{in, forward(in, pass), func(in *graph.Node) *graph.Node { return forward(in, quiet) }})
	return r.stages[len(r.stages)-1].out
}

// Gradient is the gradient of loss by the values of vars, in their order.
//
// The recomputation begins with its input [After] the gradient that it waits for, so that XLA
// neither takes it for what it has computed before nor does it early.
func (r *Recomputed) Gradient(loss *graph.Node, vars []Variable, values []*graph.Node) []*graph.Node {
	if r == nil {
		return graph.Gradient(loss, values...)
	}
	// What belongs to which stage; 0 is behind the encoder.
	members := make([][]int, len(r.stages)+1)
	lowest := len(members)
	for i, v := range vars {
		s := v.stage()
		members[s] = append(members[s], i)
		if s > 0 {
			lowest = min(lowest, s)
		}
	}
	grads := make([]*graph.Node, len(values))
	// by is the gradient of y by x and by the values of stage s, which it keeps.
	by := func(y *graph.Node, s int, x []*graph.Node) []*graph.Node {
		of := x
		for _, i := range members[s] {
			of = append(of, values[i])
		}
		all := graph.Gradient(y, of...)
		for j, i := range members[s] {
			grads[i] = all[len(x)+j]
		}
		return all[:len(x):len(x)]
	}

	var outs []*graph.Node
	for _, stage := range r.stages[lowest-1:] {
		outs = append(outs, stage.out)
	}
	back := by(loss, 0, outs)
	for s := len(r.stages); s >= lowest; s-- {
		stage, g := r.stages[s-1], graph.StopGradient(back[s-lowest])
		in := After(stage.in, g)
		product := graph.ReduceAllSum(graph.Mul(stage.again(in), g))
		if s == lowest {
			by(product, s, nil)
			break
		}
		below := by(product, s, []*graph.Node{in})
		back[s-1-lowest] = graph.Add(back[s-1-lowest], below[0])
	}
	return grads
}
