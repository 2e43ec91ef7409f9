package models

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// A network in bfloat16 is one of mixed precision, as PyTorch's autocast makes one. Weights
// are float32, and each convolution rounds its own to bfloat16 where it multiplies: so the
// gradient that arrives at a weight is float32 again. What comes out is rounded to bfloat16,
// is float32 until bias, batch norm and relu are done, and is kept as bfloat16. Behind the
// score layers, where there are few numbers and all of them matter, everything is float32.
//
// What is added up over pixels is added up in float32 (biases, the statistics of batch norm,
// the 49 windows of fc6 that a pixel is in): bfloat16 has eight bits, and 256 + 1 is 256.
// docs/precision.md has the whole table.

// narrow turns x into what convolutions multiply in.
func (p Pass) narrow(x *graph.Node) *graph.Node {
	if p.DType == dtypes.InvalidDType {
		return x
	}
	return graph.ConvertDType(x, p.DType)
}

// wide turns x into what is added up in: float32 for half precision, else as it is.
func wide(x *graph.Node) *graph.Node { return graph.ConvertDType(x, wideDType(x)) }

// wideDType is the type of wide(x), and of the variables of a layer whose input is x.
func wideDType(x *graph.Node) dtypes.DType {
	if x.DType().IsHalfPrecision() {
		return dtypes.Float32
	}
	return x.DType()
}

// dot begins a product of a and b. Of half precision graph.Dot says that it is to be added up
// in float32, which XLA does unasked; to GoMLX's gradient it would mean that both products
// there multiply in float32 too.
func dot(a, b *graph.Node) *graph.DotBuilder {
	return graph.Dot(a, b).WithAccumulatorDType(dtypes.InvalidDType)
}
