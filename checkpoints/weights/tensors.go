package weights

import (
	"io"

	"github.com/fcnx/fcnx/checkpoints"
)

// Tensors is an open file of named arrays, whatever its format. Names, shapes and
// the order of axes are the file's own.
type Tensors interface {
	// Path is the path that the file was opened by.
	Path() string
	// Infos lists the tensors by name. DType is spelt as safetensors does: "F32",
	// "F16", "BF16", "F64", "I64", ...
	Infos() []checkpoints.Info
	// Reader reads the bytes of one tensor: little-endian, row-major.
	Reader(name string) (io.Reader, error)
	Close() error
}
