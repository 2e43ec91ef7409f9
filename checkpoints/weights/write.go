package weights

import (
	"io"

	"github.com/fcnx/fcnx/checkpoints"
)

// Write writes the values of one variable, which has fcnx's name and layout and dtype
// F32, as float32 in PyTorch's layout, little-endian and row-major: for files of other
// formats than [Export]'s. Values that are not finite are refused.
func Write(w io.Writer, variable checkpoints.Info, values []float32) error {
	l, err := layoutOf(variable)
	if err != nil {
		return err
	}
	return l.write(w, values)
}
