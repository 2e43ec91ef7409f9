package train

import "github.com/gomlx/compute/dtypes"

// The precisions that a network is computed in (docs/precision.md).
const (
	Float32  = "float32"
	BFloat16 = "bfloat16"
)

// Precisions lists them.
func Precisions() []string { return []string{Float32, BFloat16} }

// computeDType is what a graph of that precision has in models.Pass.
func computeDType(precision string) dtypes.DType {
	if precision == BFloat16 {
		return dtypes.BFloat16
	}
	return dtypes.InvalidDType
}
