package models

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/device/devicetest"
)

// The gradient of every tensor that learns is held to finite differences of the
// loss, which know nothing of graphs, only the definition of a derivative; and
// XLA's gradients to those of the Go backend.
func TestGradientsAgainstDifferences(t *testing.T) {
	const none = -1 // the Go backend takes 0.1 s for a forward of the paper's geometry
	for _, c := range []struct {
		net       Config
		h, w      int
		xlaSingle int // elements that are moved by themselves, of each tensor
		goSingle  int
	}{
		{Config{Arch: "fcn32s", Upsample: Learned, Geometry: Same}, 35, 20, 6, 2},
		{Config{Arch: "fcn16s", Upsample: Depthwise, Geometry: Same}, 20, 35, 6, 2},
		{Config{Arch: "fcn8s", Upsample: Learned, Geometry: Same}, 33, 40, 6, 2},
		{Config{Arch: "fcn32s", Upsample: Depthwise, Geometry: Paper}, 7, 5, 3, none},
		{Config{Arch: "fcn16s", Upsample: Learned, Geometry: Paper}, 4, 9, 3, none},
		{Config{Arch: "fcn8s", Upsample: Learned, Geometry: Paper, AtOnce: true}, 6, 6, 3, 0},
	} {
		c.net.Encoder, c.net.Classes, c.net.Width, c.net.Head = "vgg11", 3, 2, 3
		if c.net.Geometry == Paper {
			c.net.Width = 1 // the smallest image is 200 pixels wide there
		}
		t.Run(c.net.Arch+"/"+c.net.Geometry, func(t *testing.T) {
			t.Parallel()
			onXLA := newExperiment(t, devicetest.Kind(), c.net, c.h, c.w)
			onGo := newExperiment(t, device.Go, c.net, c.h, c.w)
			for i, v := range onXLA.vars {
				got := tensors.FromFlatDataAndDimensions(onGo.gradients[i], v.Shape...)
				requireNear(t, onXLA.gradients[i], v.Shape, got, 1e-9, v.Path()+" on the Go backend")
			}
			onXLA.checkDifferences(t, c.xlaSingle)
			if c.goSingle != none {
				onGo.checkDifferences(t, c.goSingle)
			}
		})
	}
}

// experiment is a net on a backend, with its variables, one labelled image and the
// gradients of its loss. All is drawn anew for each, since GoMLX ties a tensor to
// the backend that first sees it.
type experiment struct {
	net            Config
	backend        compute.Backend
	rng            *rand.Rand
	store          *model.Store
	images, labels *tensors.Tensor

	vars      []Variable
	gradients [][]float64 // of vars

	// forward gives the loss, perhaps among other things. Variables are inputs of it,
	// so that it is compiled once for all their values.
	forward *model.Exec
}

func newExperiment(t *testing.T, backend string, c Config, h, w int) *experiment {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 1))
	e := &experiment{net: c, backend: Backend(t, backend), rng: rng, store: model.NewStore(), vars: c.Variables()}
	for _, v := range e.vars {
		create(t, e.store, "/"+v.Path(), liveValues(c, v, rng), v.Shape)
	}
	labels := make([]uint8, h*w)
	for i := range labels {
		labels[i] = uint8(rng.IntN(c.Classes))
		if rng.IntN(5) == 0 {
			labels[i] = ignore
		}
	}
	e.labels = tensors.FromFlatDataAndDimensions(labels, 1, h, w)
	e.images = randomGrid(rng, 1, h, w, 3).tensor()

	exec, err := model.NewExec(e.backend, e.store, func(s *model.Scope, images, labels *graph.Node) []*graph.Node {
		loss := e.loss(s, images, labels)
		var values []*graph.Node
		for _, v := range e.vars {
			values = append(values, e.store.GetVariable("/"+v.Path()).NodeValue(images))
		}
		return append([]*graph.Node{loss}, graph.Gradient(loss, values...)...)
	})
	require.NoError(t, err)
	out, err := exec.Exec(e.images, e.labels)
	require.NoError(t, err)
	for _, g := range out[1:] {
		e.gradients = append(e.gradients, toFloats(g))
	}

	// XLA takes longer to compile a second graph than to compute a thousand gradients
	// in vain; the Go backend has nothing to compile.
	e.forward = exec
	if backend == device.Go {
		e.forward, err = model.NewExec(e.backend, e.store, e.loss)
		require.NoError(t, err)
	}
	return e
}

// liveValues lets v be heard in the loss. Real nets start with score layers of
// zero, before which all gradients vanish.
func liveValues(c Config, v Variable, rng *rand.Rand) []float64 {
	scale, offset := math.Sqrt(2/float64(v.Size()/v.Shape[len(v.Shape)-1])), 0.0
	switch {
	case v.Role == Bias:
		scale, offset = 0.1, 0.2 // above zero: few dead relus
	case v.Part == PartUpsample:
		scale = 0.5
	case c.AtOnce && v.Layer == "score_pool4":
		scale *= 100
	case c.AtOnce && v.Layer == "score_pool3":
		scale *= 10000
	}
	values := floats(rng, v.Size())
	for i := range values {
		values[i] = offset + scale*values[i]
	}
	return values
}

func (e *experiment) loss(s *model.Scope, images, labels *graph.Node) *graph.Node {
	sum, weight := CrossEntropy(e.net.Logits(s, images, Pass{Training: true}), labels, nil)
	return graph.Div(sum, weight)
}

// checkDifferences moves each variable along some of its axes, and along one
// direction at random in which every element takes part, and compares the slope of
// the loss with what the gradient says.
func (e *experiment) checkDifferences(t *testing.T, single int) {
	t.Helper()
	for i, v := range e.vars {
		gradient, largest := e.gradients[i], 0.0
		for _, g := range gradient {
			largest = max(largest, math.Abs(g))
		}
		require.Greater(t, largest, 1e-5, "%s is not heard: nothing would be proved of it", v.Path())

		directions := [][]float64{floats(e.rng, len(gradient))}
		for _, k := range e.rng.Perm(len(gradient))[:min(single, len(gradient))] {
			axis := make([]float64, len(gradient))
			axis[k] = 1
			directions = append(directions, axis)
		}
		for at, direction := range directions {
			want, length := 0.0, 0.0
			for k, d := range direction {
				want += gradient[k] * d
				length += math.Abs(d)
			}
			got := e.slope(t, v, direction)
			require.InDelta(t, want, got, 1e-5*largest*length, "%s, direction %d, on %s", v.Path(), at, e.backend.Name())
		}
	}
}

// slope is the central difference of the loss as v moves along direction. In
// float64 a step of 1e-6 leaves about nine digits, and is so small that hardly a
// relu or a maximum changes its mind within it.
func (e *experiment) slope(t *testing.T, v Variable, direction []float64) float64 {
	t.Helper()
	const step = 1e-6
	variable := e.store.GetVariable("/" + v.Path())
	start := toFloats(variable.MustValue())
	lossAt := func(by float64) float64 {
		values := make([]float64, len(start))
		for k := range start {
			values[k] = start[k] + by*direction[k]
		}
		require.NoError(t, variable.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape...)))
		out, err := e.forward.Exec(e.images, e.labels)
		require.NoError(t, err)
		return tensors.ToScalar[float64](out[0])
	}
	above, below := lossAt(step), lossAt(-step)
	require.NoError(t, variable.SetValue(tensors.FromFlatDataAndDimensions(start, v.Shape...)))
	return (above - below) / (2 * step)
}
