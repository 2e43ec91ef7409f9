package train

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Snapshot is a copy of an engine's variables that the engine's next steps do not touch.
// Who has it calls Free.
type Snapshot struct {
	variables []Variable
	values    map[string]value
	mapped    [][]byte
}

type value struct {
	dtype dtypes.DType
	data  []byte
}

// Snapshot copies all variables off the device, as fast as the machine can: training stands
// still meanwhile. It takes as much memory as they have.
func (e *Engine) Snapshot() (*Snapshot, error) {
	s := &Snapshot{variables: e.Variables(), values: map[string]value{}}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, v := range s.variables {
		group.Go(func() error {
			return e.variable(v.Path, func(dtype dtypes.DType, data []byte) error {
				copied, mapped, err := copyOf(data)
				mu.Lock()
				defer mu.Unlock()
				if mapped {
					s.mapped = append(s.mapped, copied)
				}
				s.values[v.Path] = value{dtype, copied}
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, s.Free())
	}
	return s, nil
}

// worthMapping is how many bytes are worth pages of their own.
const worthMapping = 1 << 20

// copyOf copies data, much of it into pages straight from the system. Go's heap would keep
// a gigabyte for the next snapshot, or, asked to give it back, take eight times as long to get
// it anew (docs/checkpoints.md).
func copyOf(data []byte) (copied []byte, mapped bool, err error) {
	if len(data) < worthMapping {
		return bytes.Clone(data), false, nil
	}
	copied, err = unix.Mmap(-1, 0, len(data), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, false, fmt.Errorf("memory for a copy of %d bytes to be saved: %w", len(data), err)
	}
	copy(copied, data)
	return copied, true, nil
}

// Variables is what [Engine.Variables] was.
func (s *Snapshot) Variables() []Variable { return s.variables }

// WriteVariable is as [Engine.WriteVariable], and may be called from any goroutine.
func (s *Snapshot) WriteVariable(path string, w io.Writer) error {
	v, ok := s.values[path]
	if !ok {
		return fmt.Errorf("there is no variable %s", path)
	}
	return writeFinite(path, v.dtype, v.data, w)
}

// Free gives the memory back to the system. Nothing may be writing the snapshot any more.
func (s *Snapshot) Free() error {
	clear(s.values)
	var errs []error
	for _, pages := range s.mapped {
		errs = append(errs, unix.Munmap(pages))
	}
	s.mapped = nil
	return errors.Join(errs...)
}
