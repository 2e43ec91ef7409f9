package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/fcnx/fcnx/checkpoints"
)

// Export writes the source's variables as the package's [Export] would, and says as that
// does what was written. Files of all families have their numbers in the order of
// PyTorch's layout, so that they are streamed and no kernel is turned: there and back
// again, VGG-16 would take several seconds and the memory of fc6.
func (s *Source) Export(path string, meta map[string]string) (checkpoints.Written, error) {
	byName := make(map[string]take, len(s.takes))
	infos := make([]checkpoints.Info, len(s.takes))
	for i, t := range s.takes {
		byName[t.pytorch.Name], infos[i] = t, t.pytorch
	}
	written, err := checkpoints.WriteFile(path, infos, meta, func(name string, w io.Writer) error {
		return s.stream(w, byName[name])
	})
	if err != nil {
		return checkpoints.Written{}, fmt.Errorf("export weights to %s: %w", path, err)
	}
	return written, nil
}

// Check reads every number, and is an error where one is missing, damaged as far as the
// format can tell, or not finite.
func (s *Source) Check() error {
	for _, t := range s.takes {
		if err := s.stream(io.Discard, t); err != nil {
			return err
		}
	}
	return nil
}

// stream writes a tensor as float32 in PyTorch's layout.
func (s *Source) stream(w io.Writer, t take) error {
	if s.swapped && t.variable.Name == firstKernel { // the one whose numbers move
		values, err := s.Read(t.variable.Name)
		if err != nil {
			return err
		}
		return Write(w, t.variable, values)
	}
	r, err := s.tensors.Reader(t.layout.file.Name)
	if err != nil {
		return err
	}
	const block = 64 << 10 // numbers
	decode := decoders[t.dtype]
	floats := make([]float32, min(block, t.layout.size()))
	raw, out := make([]byte, decode.size*len(floats)), make([]byte, 4*len(floats))
	for done := 0; done < t.layout.size(); {
		n := min(len(floats), t.layout.size()-done)
		if _, err := io.ReadFull(r, raw[:decode.size*n]); err != nil {
			return fmt.Errorf("%s: %s: %w", s.Path(), t.layout.file.Name, err)
		}
		decode.into(floats[:n], raw)
		for i, v := range floats[:n] {
			bits := math.Float32bits(v)
			if !isFinite(bits) {
				return fmt.Errorf("%s: %w", s.Path(), t.layout.notFinite(done+i, v))
			}
			binary.LittleEndian.PutUint32(out[4*i:], bits)
		}
		if _, err := w.Write(out[:4*n]); err != nil {
			return err
		}
		done += n
	}
	return nil
}
