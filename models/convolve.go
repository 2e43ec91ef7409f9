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

// unbiased is what [Pass.convolve] adds its bias to, and that bias. A 3x3 convolution of many
// channels may be Winograd's. keep: what becomes of x before it is multiplied is kept for the
// gradient, and not made once more.
func (p Pass) unbiased(scope *model.Scope, x *graph.Node, out, k, pad int, keep bool) (y, bias *graph.Node) {
	x = p.narrow(x)
	g, dtype, in := x.Graph(), wideDType(x), x.Shape().Dim(-1)
	kernel := p.narrow(scope.VariableWithShape("weight", shapes.Make(dtype, k, k, in, out)).NodeValue(g))
	bias = scope.VariableWithShape("bias", shapes.Make(dtype, out)).NodeValue(g)
	n, h, w := x.Shape().Dim(0), x.Shape().Dim(1)+2*pad-k+1, x.Shape().Dim(2)+2*pad-k+1

	// Padding is added before, not by a plain convolution: the gradient of the kernel is
	// then up to twice as fast on XLA's CPU, and the rest as fast as it was
	// (docs/benchmarks.md). It also allows the paper's padding of 100, for which
	// GoMLX's padded convolution has no gradient.
	op := func(x, kernel *graph.Node) *graph.Node {
		return graph.Convolve(padAround(x, pad), kernel).NoPadding().Done()
	}
	switch {
	case k == 3 && pad == 1 && min(in, out) >= winogradChannels && p.winograd(x):
		op = winograd
	case k != 3:
		// fc6 (7x7) and the 1x1 layers have few pixels and many channels: there the
		// gradients of a convolution run at a sixth of its forward speed on XLA's
		// CPU, and those of one matrix product do not (docs/benchmarks.md).
		op = func(x, kernel *graph.Node) *graph.Node {
			x = graph.Reshape(p.unfold(padAround(x, pad), k), n*h*w, k*k*in)
			return graph.Reshape(matrixProduct(x, graph.Reshape(kernel, k*k*in, out)), n, h, w, out)
		}
	}
	switch {
	case in == 3:
		y = ofColours(x, kernel, op)
	case keep:
		y = op(x, kernel)
	default:
		y = p.lean(x, kernel, op)
	}
	y = wide(y)
	y.AssertDims(n, h, w, out)
	return y, bias
}

// ofColours is op(x, kernel) of three channels, with a fourth of zeros: XLA's CPU lays three
// out number by number, and takes half as long again for it. That is no gain to the
// kernel's gradient, which is made of three.
func ofColours(x, kernel *graph.Node, op func(x, kernel *graph.Node) *graph.Node) *graph.Node {
	return withGradient([]*graph.Node{x, kernel}, func(in []*graph.Node) *graph.Node {
		return op(padAxis(in[0], 3, 0, 1), padAxis(in[1], 2, 0, 1))
	}, func(dy *graph.Node) []*graph.Node {
		return graph.Gradient(graph.ReduceAllSum(graph.Mul(op(x, kernel), graph.StopGradient(dy))), x, kernel)
	})
}

// lean is op(x, kernel) whose gradient needs x and the kernel alone: what else op makes on
// its way is made once more then. Of a convolution that is x with its padding, which is as
// large as x, and which XLA would keep beside what x is made of.
//
// In a stage that is computed again the gradient of x waits for the kernel's, of which both
// factors have to be laid out anew, so that these are gone by then.
func (p Pass) lean(x, kernel *graph.Node, op func(x, kernel *graph.Node) *graph.Node) *graph.Node {
	return withGradient([]*graph.Node{x, kernel}, func(in []*graph.Node) *graph.Node {
		return op(in[0], in[1])
	}, func(dy *graph.Node) []*graph.Node {
		dy = graph.StopGradient(dy)
		x := After(graph.StopGradient(x), dy)
		by := func(of, kernel *graph.Node) *graph.Node {
			return graph.Gradient(graph.ReduceAllSum(graph.Mul(op(x, kernel), dy)), of)[0]
		}
		dw := by(kernel, kernel)
		if p.again {
			return []*graph.Node{by(x, After(kernel, graph.StopGradient(dw))), dw}
		}
		return []*graph.Node{by(x, kernel), dw}
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
// [N,H,W,C] becomes [N,H-k+1,W-k+1,k*k*C], in the order of a kernel [k,k,C,...].
func (p Pass) unfold(x *graph.Node, k int) *graph.Node {
	if k == 1 {
		return x
	}
	x = wide(x) // the gradient adds up k*k numbers a pixel
	h, w := x.Shape().Dim(1)-k+1, x.Shape().Dim(2)-k+1
	windows := make([]*graph.Node, 0, k*k)
	for i := range k {
		for j := range k {
			windows = append(windows, crop(x, i, j, h, w))
		}
	}
	return p.narrow(graph.Concatenate(windows, -1))
}
