package models

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// convolve is a k by k convolution with bias: x [N,H,W,in] becomes
// [N,H+2pad-k+1,W+2pad-k+1,out]. Its kernel is "weight" [k,k,in,out], its bias
// "bias" [out].
func (p Pass) convolve(scope *model.Scope, x *graph.Node, out, k, pad int) *graph.Node {
	return biased(p.unbiased(scope, x, out, k, pad))
}

// biased adds bias [C] to every pixel of x [N,H,W,C].
func biased(x, bias *graph.Node) *graph.Node { return graph.Add(x, spread(bias, x)) }

// unbiased is what [Pass.convolve] adds its bias to, and that bias. A 3x3 convolution of many
// channels may be Winograd's.
func (p Pass) unbiased(scope *model.Scope, x *graph.Node, out, k, pad int) (y, bias *graph.Node) {
	x = p.narrow(x)
	g, dtype, in := x.Graph(), wideDType(x), x.Shape().Dim(-1)
	kernel := p.narrow(scope.VariableWithShape("weight", shapes.Make(dtype, k, k, in, out)).NodeValue(g))
	bias = scope.VariableWithShape("bias", shapes.Make(dtype, out)).NodeValue(g)
	n, h, w := x.Shape().Dim(0), x.Shape().Dim(1)+2*pad-k+1, x.Shape().Dim(2)+2*pad-k+1

	// Padding is added before, not by a plain convolution: the gradient of the kernel is
	// then up to twice as fast on XLA's CPU, and the rest as fast as it was
	// (docs/benchmarks.md). It also allows the paper's padding of 100, for which
	// GoMLX's padded convolution has no gradient.
	switch {
	case k == 3 && pad == 1 && min(in, out) >= winogradChannels && p.winograd(x):
		y = winograd(x, kernel)
	case k == 3:
		y = p.lean(x, kernel, func(x, kernel *graph.Node) *graph.Node {
			return graph.Convolve(padAround(x, pad), kernel).NoPadding().Done()
		})
	default:
		// fc6 (7x7) and the 1x1 layers have few pixels and many channels: there the
		// gradients of a convolution run at a sixth of its forward speed on XLA's
		// CPU, and those of one matrix product do not (docs/benchmarks.md).
		y = p.lean(x, kernel, func(x, kernel *graph.Node) *graph.Node {
			x = graph.Reshape(p.unfold(padAround(x, pad), k), n*h*w, k*k*in)
			return graph.Reshape(matrixProduct(x, graph.Reshape(kernel, k*k*in, out)), n, h, w, out)
		})
	}
	y = wide(y)
	y.AssertDims(n, h, w, out)
	return y, bias
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

// crop cuts the h by w window out of x [N,H,W,C] whose first pixel is (top, left).
func crop(x *graph.Node, top, left, h, w int) *graph.Node {
	if x.Shape().Dim(1) == h && x.Shape().Dim(2) == w {
		return x
	}
	return graph.Slice(x, graph.AxisRange(), graph.AxisRange(top, top+h), graph.AxisRange(left, left+w), graph.AxisRange())
}

// spread repeats v [C] for every pixel of x [N,H,W,C]. It is a product with ones, row
// by row, so that its gradient, a sum over all pixels, is one too: XLA's CPU does
// that three times as fast as a reduction (docs/benchmarks.md), and summing rows
// first keeps the digits.
func spread(v, x *graph.Node) *graph.Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	ones := graph.Ones(x.Graph(), shapes.Make(x.DType(), n*h, w, 1))
	rows := graph.BroadcastToDims(graph.Reshape(v, 1, 1, c), n*h, 1, c)
	return graph.Reshape(graph.EinsumAxes(ones, rows, [][2]int{{2, 1}}, [][2]int{{0, 0}}), n, h, w, c)
}

// sumPixels sums x [N,H,W,C] over all pixels, in the way that is explained at spread.
func sumPixels(x *graph.Node) *graph.Node {
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	ones := graph.Ones(x.Graph(), shapes.Make(x.DType(), n*h, 1, w))
	rows := graph.EinsumAxes(ones, graph.Reshape(x, n*h, w, c), [][2]int{{2, 1}}, [][2]int{{0, 0}})
	return graph.ReduceSum(rows, 0, 1)
}

// relu passes no gradient where x is zero, as PyTorch's does; that of graph.Max would. NaN
// stays NaN: a network that broke must not compute on as if it were a dead one.
func relu(x *graph.Node) *graph.Node {
	return withGradient([]*graph.Node{x}, func(in []*graph.Node) *graph.Node {
		return graph.MaxScalar(in[0], 0)
	}, func(dy *graph.Node) []*graph.Node {
		return []*graph.Node{graph.Where(graph.LessOrEqual(x, graph.ScalarZero(x.Graph(), x.DType())), graph.ZerosLike(dy), dy)}
	})
}

// dropout zeroes each element with probability p in training and scales the rest
// by 1/(1-p). It returns the random state to go on with.
func dropout(x *graph.Node, p float64, pass Pass) (y, rng *graph.Node) {
	if !pass.Training || p == 0 {
		return x, pass.RNG
	}
	rng, uniform := graph.RandomUniform(pass.RNG, shapes.Make(dtypes.Float32, x.Shape().Dimensions...))
	keep := graph.GreaterOrEqual(uniform, graph.Scalar(x.Graph(), dtypes.Float32, p))
	return graph.Where(keep, graph.MulScalar(x, 1/(1-p)), graph.ZerosLike(x)), rng
}

// padAround puts pad rows and columns of zeros on all four sides of x [N,H,W,C].
func padAround(x *graph.Node, pad int) *graph.Node {
	return padSides(x, pad, pad, pad, pad)
}

func padRightBelow(x *graph.Node, rows, cols int) *graph.Node {
	return padSides(x, 0, rows, 0, cols)
}

// padSides adds zeros by concatenation: GoMLX's Pad has no gradient.
func padSides(x *graph.Node, top, bottom, left, right int) *graph.Node {
	x = padAxis(x, 1, top, bottom)
	return padAxis(x, 2, left, right)
}

func padAxis(x *graph.Node, axis, before, after int) *graph.Node {
	zeros := func(n int) *graph.Node {
		shape := x.Shape().Clone()
		shape.Dimensions[axis] = n
		return graph.Zeros(x.Graph(), shape)
	}
	parts := []*graph.Node{x}
	if before > 0 {
		parts = []*graph.Node{zeros(before), x}
	}
	if after > 0 {
		parts = append(parts, zeros(after))
	}
	if len(parts) == 1 {
		return x
	}
	return graph.Concatenate(parts, axis)
}
