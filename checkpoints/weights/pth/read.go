package pth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Indexer reads the index of an open file.
type Indexer func(f *os.File) (Index, error)

// InProcess is the [Indexer] that reads in this process.
func InProcess(f *os.File) (Index, error) {
	info, err := f.Stat()
	if err != nil {
		return Index{}, err
	}
	return ReadIndex(f, info.Size())
}

// ReadIndex reads the index of a file of torch.save. It executes nothing of the file,
// and checks every size and place of it against the file's size, in bytes, before it
// uses them. What it allocates is bounded, whatever the file says. Errors do not name
// the file; [Open] does.
func ReadIndex(r io.ReaderAt, size int64) (Index, error) {
	start := make([]byte, min(size, 64))
	if err := readAt(r, start, 0); err != nil {
		return Index{}, err
	}
	var ix Index
	var err error
	switch {
	case bytes.HasPrefix(start, []byte(localSignature)):
		ix, err = readArchive(r, size)
	case len(start) > 0 && start[0] == 0x80:
		ix, err = readLegacy(r, size)
	default:
		return Index{}, errors.New(foreign(start))
	}
	if err == nil {
		err = ix.check(size)
	}
	if err != nil {
		return Index{}, err
	}
	return ix, nil
}

// foreign recognises what people give instead of a file of torch.save.
func foreign(start []byte) string {
	for _, f := range []struct{ prefix, what string }{
		{"version https://git-lfs", "it is a Git LFS pointer: fetch the file itself by `git lfs pull`"},
		{"<", "it is a page of HTML or XML, not a file of torch.save: was the download refused?"},
		{"\x89HDF", "it is an HDF5 file, not one of torch.save"},
		{"PK\x05\x06", "it is an empty zip file"},
	} {
		if bytes.HasPrefix(start, []byte(f.prefix)) {
			return f.what
		}
	}
	if len(start) == 0 {
		return "it is empty"
	}
	return "it is not a file of torch.save: it begins as neither a zip file nor a pickle does"
}

// indexOf makes the index of what a pickle has given. place says where a storage is
// in the file.
func indexOf(kind Kind, root value, place func(*storage) (Storage, error)) (Index, error) {
	entry, state, err := stateDict(root)
	if err != nil {
		return Index{}, err
	}
	ix := Index{Kind: kind, Entry: entry, Storages: []Storage{}, Tensors: []Tensor{}}
	places := map[string]int{}
	for key, v := range state.all() {
		name, isString := key.(string)
		t, isTensor := v.(*tensor)
		if !isString || !isTensor {
			continue
		}
		if t.why != "" {
			return Index{}, fmt.Errorf("tensor %.80q %s", name, t.why)
		}
		if len(ix.Tensors) == maxTensors {
			return Index{}, fmt.Errorf("it has more than %d tensors", maxTensors)
		}
		// A list may have changed since.
		if !t.isPlaced() {
			return Index{}, fmt.Errorf("tensor %.80q has no place", name)
		}
		which, known := places[t.storage.key]
		if !known {
			which = len(ix.Storages)
			places[t.storage.key] = which
			s, err := place(t.storage)
			if err != nil {
				return Index{}, fmt.Errorf("tensor %.80q: %w", name, err)
			}
			ix.Storages = append(ix.Storages, s)
		}
		first, fits := t.firstByte()
		if !fits {
			return Index{}, fmt.Errorf("tensor %.80q does not begin in its storage", name)
		}
		ix.Tensors = append(ix.Tensors, Tensor{
			Name: name, DType: t.dtype, Shape: integers(t.place[1]), Strides: integers(t.place[2]), Storage: which, First: first,
		})
	}
	slices.SortFunc(ix.Tensors, byName)
	return ix, nil
}

// firstByte is where in the storage the tensor begins, in bytes.
func (t *tensor) firstByte() (n int64, fits bool) {
	first, _ := t.place[0].(int64)
	if first < 0 {
		return 0, false
	}
	n, fits = multiply(first, widths[t.dtype])
	return n + t.storage.first, fits && n <= t.storage.size
}
