package models

import (
	"math"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// upsample is a transposed convolution of stride s and kernel 2s without bias, on
// x [N,H,W,C]. In the paper's geometry the result is whole, [N,(H+1)s,(W+1)s,C];
// else s/2 is trimmed from each side (PyTorch's padding = s/2), which leaves
// exactly [N,H*s,W*s,C].
//
// It is not written as a convolution: GoMLX's gradient of a convolution is wrong
// for even kernels, and has none for dilated inputs (docs/upsampling.md). With
// kernel 2s and stride s, the s by s block (i,j) of the result hears four pixels
// only, each through one quarter of the kernel:
//
//	y[i,j] = x[i,j]*k[:s,:s] + x[i,j-1]*k[:s,s:] + x[i-1,j]*k[s:,:s] + x[i-1,j-1]*k[s:,s:]
//
// so four shifted copies of x and products with the kernel's quarters do it.
func (c Config) upsample(scope *model.Scope, up upscale, x *graph.Node) *graph.Node {
	s, g, dtype := up.stride, x.Graph(), x.DType()
	n, h, w, classes := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)

	var y *graph.Node
	switch c.Upsample {
	case Learned:
		kernel := scope.In("%s", up.name).VariableWithShape("weight", shapes.Make(dtype, 2*s, 2*s, classes, classes))
		y = upsampleDense(x, kernel.NodeValue(g))
	case Depthwise:
		kernel := scope.In("%s", up.name).VariableWithShape("weight", shapes.Make(dtype, 2*s, 2*s, classes))
		y = upsampleDepthwise(x, kernel.NodeValue(g))
	case Bilinear:
		kernel := graph.ConvertDType(graph.Const(g, bilinearKernel(2*s)), dtype)
		y = upsampleDepthwise(x, graph.Reshape(kernel, 2*s, 2*s, 1))
	}
	y.AssertDims(n, (h+1)*s, (w+1)*s, classes)
	if c.Geometry == Same {
		y = crop(y, s/2, s/2, h*s, w*s)
	}
	return y
}

// upsampleDense takes a kernel [2s,2s,in,out].
func upsampleDense(x, kernel *graph.Node) *graph.Node {
	s, in, out := kernel.Shape().Dim(0)/2, kernel.Shape().Dim(2), kernel.Shape().Dim(3)
	n, h, w := x.Shape().Dim(0), x.Shape().Dim(1)+1, x.Shape().Dim(2)+1

	// [2,s,2,s,in,out] to [2,2,in,s,s,out]: the quarters lie where their copies do.
	quarters := graph.TransposeAllAxes(graph.Reshape(kernel, 2, s, 2, s, in, out), 0, 2, 4, 1, 3, 5)
	y := graph.Concatenate(shifted(x), -1)
	y = graph.Dot(graph.Reshape(y, n*h*w, 4*in), graph.Reshape(quarters, 4*in, s*s*out)).Product()

	// Depth to space: the s by s blocks find their places.
	y = graph.TransposeAllAxes(graph.Reshape(y, n, h, w, s, s, out), 0, 1, 3, 2, 4, 5)
	return graph.Reshape(y, n, h*s, w*s, out)
}

// upsampleDepthwise takes a kernel [2s,2s,C], or [2s,2s,1] for all classes alike.
func upsampleDepthwise(x, kernel *graph.Node) *graph.Node {
	s, kc := kernel.Shape().Dim(0)/2, kernel.Shape().Dim(2)
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1)+1, x.Shape().Dim(2)+1, x.Shape().Dim(3)

	var y *graph.Node
	for q, moved := range shifted(x) {
		quarter := crop(graph.Reshape(kernel, 1, 2*s, 2*s, kc), q/2*s, q%2*s, s, s)
		quarter = graph.BroadcastToDims(graph.Reshape(quarter, 1, 1, s, 1, s, kc), n, h, s, w, s, c)
		term := graph.Mul(graph.BroadcastToDims(graph.Reshape(moved, n, h, 1, w, 1, c), n, h, s, w, s, c), quarter)
		if y == nil {
			y = term
		} else {
			y = graph.Add(y, term)
		}
	}
	return graph.Reshape(y, n, h*s, w*s, c)
}

// shifted returns x[i-a,j-b] for (a,b) = (0,0), (0,1), (1,0), (1,1), each
// [N,H+1,W+1,C], zero outside x.
func shifted(x *graph.Node) []*graph.Node {
	h, w := x.Shape().Dim(1), x.Shape().Dim(2)
	x = padAround(x, 1)
	return []*graph.Node{
		crop(x, 1, 1, h+1, w+1), crop(x, 1, 0, h+1, w+1),
		crop(x, 0, 1, h+1, w+1), crop(x, 0, 0, h+1, w+1),
	}
}

// bilinearKernel is the k by k kernel with which a transposed convolution of
// stride k/2 interpolates bilinearly (the authors' surgery.upsample_filt).
func bilinearKernel(k int) [][]float32 {
	factor := float64((k + 1) / 2)
	centre := factor - 0.5
	if k%2 == 1 {
		centre = factor - 1
	}
	tent := make([]float64, k)
	for i := range tent {
		tent[i] = 1 - math.Abs(float64(i)-centre)/factor
	}
	kernel := make([][]float32, k)
	for i := range kernel {
		kernel[i] = make([]float32, k)
		for j := range kernel[i] {
			kernel[i][j] = float32(tent[i] * tent[j])
		}
	}
	return kernel
}
