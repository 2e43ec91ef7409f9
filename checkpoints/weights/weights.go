// Package weights exchanges a network's weights with PyTorch, as a safetensors file
// in PyTorch's layout under the paper's layer names.
//
// fcnx calls a tensor "conv1_1/weight" and the file "conv1_1.weight". Kernels are
// turned on the way; docs/weights.md has the table. Nothing is dropped and nothing
// guessed: a file fits the network, tensor by tensor, or it is refused with a list
// of both sides.
package weights

import (
	"errors"
	"fmt"
	"io"

	"github.com/fcnx/fcnx/checkpoints"
)

// Export writes vars, which have fcnx's names, layout and dtype F32, to a file in
// PyTorch's layout. values is asked for one tensor after the other, and may return
// the same memory each time. meta goes into the file's __metadata__ as it is. A
// crash or an error leaves what was at path before. Values that are not finite are
// refused.
func Export(path string, vars []checkpoints.Info, meta map[string]string, values func(name string) ([]float32, error)) (checkpoints.Written, error) {
	layouts, err := layoutsOf(vars)
	if err != nil {
		return checkpoints.Written{}, fmt.Errorf("export weights: %w", err)
	}
	byFileName := make(map[string]layout, len(layouts))
	infos := make([]checkpoints.Info, len(layouts))
	for i, l := range layouts {
		byFileName[l.file.Name] = l
		infos[i] = l.file
	}
	written, err := checkpoints.WriteFile(path, infos, meta, func(name string, w io.Writer) error {
		l := byFileName[name]
		v, err := values(l.name)
		if err != nil {
			return err
		}
		return l.write(w, v)
	})
	if err != nil {
		return checkpoints.Written{}, fmt.Errorf("export weights to %s: %w", path, err)
	}
	return written, nil
}

// Import reads the tensors that want describes, with fcnx's names and layout, and
// hands them to set in that order. The values are set's to keep. The file may be in
// F32, F16, BF16 or F64.
//
// It is a [*MismatchError] when the file and want are not the same tensors, and then
// set has not been called. Only the counters that PyTorch's batch norm calls
// num_batches_tracked are passed over: they do not take part in the network.
func Import(path string, want []checkpoints.Info, set func(name string, values []float32) error) (err error) {
	f, err := Open(path, want)
	if err != nil {
		return fmt.Errorf("import weights: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, info := range f.Infos() {
		values, err := f.Read(info.Name)
		if err != nil {
			return fmt.Errorf("import weights: %w", err)
		}
		if err := set(info.Name, values); err != nil {
			return err
		}
	}
	return nil
}
