package models

import (
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// convolve is a k by k convolution with bias: x [N,H,W,in] becomes
// [N,H+2pad-k+1,W+2pad-k+1,out]. Its kernel is "weight" [k,k,in,out], its bias
// "bias" [out].
func (p Pass) convolve(scope *model.Scope, x *graph.Node, out, k, pad int) *graph.Node {
	return biased(p.unbiased(scope, x, out, k, pad, k == 1))
}

// biased adds bias [C] to every pixel of x [N,H,W,C].
func biased(x, bias *graph.Node) *graph.Node { return graph.Add(x, spread(bias, x)) }

// unbiased is what [Pass.convolve] adds its bias to, and that bias. keep is that of [convolution].
func (p Pass) unbiased(scope *model.Scope, x *graph.Node, out, k, pad int, keep bool) (y, bias *graph.Node) {
	x = p.narrow(x)
	g, dtype, in := x.Graph(), wideDType(x), x.Shape().Dim(-1)
	kernel := p.narrow(scope.VariableWithShape("weight", shapes.Make(dtype, k, k, in, out)).NodeValue(g))
	bias = scope.VariableWithShape("bias", shapes.Make(dtype, out)).NodeValue(g)
	n, h, w := x.Shape().Dim(0), x.Shape().Dim(1)+2*pad-k+1, x.Shape().Dim(2)+2*pad-k+1

	// Padding is added before, and not by the convolution: the gradient of the kernel is
	// then up to twice as fast on XLA's CPU, and the rest as fast as it was
	// (docs/benchmarks.md). It also allows the paper's padding of 100, for which
	// GoMLX's padded convolution has no gradient.
	c := convolution{keep: keep, again: p.again, plain: func(x, kernel *graph.Node) *graph.Node {
		return graph.Convolve(padAround(x, pad), kernel).NoPadding().Done()
	}}
	byWinograd := k == 3 && pad == 1 && p.winograd(x)
	switch {
	case k != 3:
		// fc6 (7x7) and the 1x1 layers have few pixels and many channels: there the
		// gradients of a convolution run at a sixth of its forward speed on XLA's
		// CPU, and those of one matrix product do not (docs/benchmarks.md).
		c.plain = func(x, kernel *graph.Node) *graph.Node {
			x = graph.Reshape(p.unfold(padAround(x, pad), k), n*h*w, k*k*in)
			return graph.Reshape(matrixProduct(x, graph.Reshape(kernel, k*k*in, out)), n, h, w, out)
		}
	case in == 3:
		// XLA's CPU lays three channels out number by number, and takes half as long again
		// for it as for four.
		c.ahead = func(x, kernel *graph.Node) *graph.Node {
			return c.plain(padAxis(x, 3, 0, 1), padAxis(kernel, 2, 0, 1))
		}
	case byWinograd && min(in, out) >= winogradChannels:
		c.ahead = winograd
		if n*h*w >= winogradPixels {
			c.back = winogradBack
		}
	}
	if byWinograd && min(in, out) >= winogradKernelChannels && n*h*w >= winogradKernelPixels {
		c.kernelGradient = winogradKernelGradient
	}
	y = wide(c.of(x, kernel))
	y.AssertDims(n, h, w, out)
	return y, bias
}

// convolution is how pixels x and a kernel become y, and how the gradient comes back.
type convolution struct {
	plain func(x, kernel *graph.Node) *graph.Node
	// ahead is as good as plain on the way there; nil: plain is taken.
	ahead func(x, kernel *graph.Node) *graph.Node
	// back is as good as what graph.Gradient makes of plain for x; nil: that is taken.
	back func(dy, kernel *graph.Node) *graph.Node
	// kernelGradient is as good as what graph.Gradient makes of plain for the kernel; nil: that is taken.
	kernelGradient func(x, dy *graph.Node) *graph.Node
	// keep: what plain makes of x before it multiplies is kept for the gradient of the kernel,
	// if XLA likes; else it is made again then. Of a convolution that is x with its padding, as
	// large as x, which XLA would keep beside what x is made of. With kernelGradient it is x alone that
	// is kept or made again.
	keep bool
	// again: of a stage that is computed again (Recomputed), where memory counts most. The
	// gradient of x waits for the kernel's, whose factors have to be laid out anew, so that
	// these are gone by then. Nothing where keep is.
	again bool
}

func (c convolution) of(x, kernel *graph.Node) *graph.Node {
	if c.ahead == nil {
		c.ahead = c.plain
		if c.keep && c.kernelGradient == nil {
			return c.plain(x, kernel)
		}
	}
	return withGradient([]*graph.Node{x, kernel}, func(in []*graph.Node) *graph.Node {
		return c.ahead(in[0], in[1])
	}, func(dy *graph.Node) []*graph.Node {
		dy = graph.StopGradient(dy)
		if c.kernelGradient != nil {
			// Six sums of kernelGradient read it, and would compute it six times. Where the layer is
			// frozen that is for nothing, and costs a pass over dy.
			dy = once(dy, kernel)
		}
		from := x
		if !c.keep {
			from = After(graph.StopGradient(x), dy)
		}
		by := func(what, kernel *graph.Node) *graph.Node {
			return graph.Gradient(graph.ReduceAllSum(graph.Mul(c.plain(from, kernel), dy)), what)[0]
		}
		var dw *graph.Node
		if c.kernelGradient != nil {
			dw = c.kernelGradient(graph.StopGradient(from), dy)
		} else {
			dw = by(kernel, kernel)
		}
		then := kernel
		if c.again && !c.keep {
			then = After(kernel, graph.StopGradient(dw))
		}
		if c.back != nil {
			return []*graph.Node{c.back(dy, then), dw}
		}
		return []*graph.Node{by(from, then), dw}
	})
}

// wideProduct is from how many columns of its weights on a product's gradient is worth
// turning.
const wideProduct = 256

// matrixProduct is x [M,K] times w [K,N]: [M,N].
//
// The gradient of x is v [M,N] times w transposed. Eigen, by which XLA's CPU multiplies, does
// that at a quarter of the speed of the same product the other way round, w times v
// transposed, where w is large: 710 ms and 190 ms for fc6 and 400 pixels. So the gradient is asked for
// turned around, and turned back. XLA would make one product of both again, but that what is
// turned back is [After] itself.
func matrixProduct(x, w *graph.Node) *graph.Node {
	if w.Shape().Dim(1) < wideProduct {
		return dot(x, w).Product()
	}
	turned := graph.IdentityWithCustomGradient(graph.Transpose(x, 0, 1), func(_, v *graph.Node) *graph.Node { return After(v, v) })
	return dot(turned, w).EinsumAxes([][2]int{{0, 0}}, nil)
}

// unfold lays the k by k neighbourhood of every pixel into its channels:
// [N,H,W,C] becomes [N,H-k+1,W-k+1,k*k*C], in the order of a kernel [k,k,C,...]. Columns
// first, by way of [N,H,W-k+1,k*C], then rows: 2k windows where one by one there are k*k, each
// of which XLA compiles: half a second more for the 49 of fc6.
func (p Pass) unfold(x *graph.Node, k int) *graph.Node {
	if k == 1 {
		return x
	}
	x = wide(x) // the gradient adds up k*k numbers a pixel, in sums of k
	h, w := x.Shape().Dim(1)-k+1, x.Shape().Dim(2)-k+1
	var columns, rows []*graph.Node
	for j := range k {
		columns = append(columns, crop(x, 0, j, h+k-1, w))
	}
	x = graph.Concatenate(columns, -1)
	for i := range k {
		rows = append(rows, crop(x, i, 0, h, w))
	}
	return p.narrow(graph.Concatenate(rows, -1))
}
