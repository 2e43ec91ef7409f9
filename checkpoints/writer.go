package checkpoints

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"unicode/utf8"
)

// Written is what [Write] knows of the file that it wrote.
type Written struct {
	Bytes  int64
	SHA256 string // of the whole file, in hexadecimal
}

// Write writes a safetensors file to w. It asks data for one tensor after the
// other; data writes the tensor's bytes, little-endian and row-major, and no more
// or fewer than its Info promises. Equal input gives equal bytes, whatever the
// order of infos.
func Write(w io.Writer, infos []Info, metadata map[string]string, data func(name string, w io.Writer) error) (Written, error) {
	entries, err := place(infos)
	if err != nil {
		return Written{}, err
	}
	header, err := encodeHeader(entries, metadata)
	if err != nil {
		return Written{}, err
	}
	out := &hashingWriter{w: w, hash: sha256.New()}
	buffer := bufio.NewWriterSize(out, 1<<20)
	if _, err := buffer.Write(header); err != nil {
		return Written{}, err
	}
	for _, e := range entries {
		tensor := &countingWriter{w: buffer}
		if err := data(e.Name, tensor); err != nil {
			return Written{}, err
		}
		if tensor.n != e.end-e.start {
			return Written{}, fmt.Errorf("tensor %q has %d bytes, and %d were announced", e.Name, tensor.n, e.end-e.start)
		}
	}
	if err := buffer.Flush(); err != nil {
		return Written{}, err
	}
	return Written{Bytes: out.n, SHA256: hex.EncodeToString(out.hash.Sum(nil))}, nil
}

// hashingWriter counts and hashes what it writes, at the same time: for a gigabyte, either
// takes as long as the other.
type hashingWriter struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (h *hashingWriter) Write(b []byte) (int, error) {
	hashed := make(chan struct{})
	go func() {
		h.hash.Write(b)
		close(hashed)
	}()
	n, err := h.w.Write(b)
	<-hashed
	h.n += int64(n)
	return n, err
}

// WriteFile writes a safetensors file that is whole or not there: an older file at
// path is replaced only when the new one is on disk.
func WriteFile(path string, infos []Info, metadata map[string]string, data func(name string, w io.Writer) error) (written Written, err error) {
	err = ReplaceFile(path, func(f *os.File) (err error) {
		written, err = Write(f, infos, metadata, data)
		return err
	})
	return written, err
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// place orders the tensors, the widest elements first and then by name, and gives
// each its bytes. That way each tensor begins at a multiple of its element's size,
// which PyTorch wants of a tensor that it maps from a file.
func place(infos []Info) ([]entry, error) {
	entries := make([]entry, len(infos))
	for i, info := range infos {
		size, err := info.Size()
		if err != nil {
			return nil, err
		}
		if info.Name == metadataKey || !utf8.ValidString(info.Name) {
			return nil, fmt.Errorf("%q cannot be the name of a tensor", info.Name)
		}
		entries[i] = entry{Info: info, end: size}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(dtypeSizes[b.DType], dtypeSizes[a.DType]), cmp.Compare(a.Name, b.Name))
	})
	seen := make(map[string]bool, len(entries))
	end := int64(0)
	for i := range entries {
		e := &entries[i]
		if seen[e.Name] {
			return nil, fmt.Errorf("two tensors are named %q", e.Name)
		}
		seen[e.Name] = true
		e.start, e.end = end, end+e.end
		if e.end < end {
			return nil, fmt.Errorf("tensor %q: the size of the file overflows", e.Name)
		}
		end = e.end
	}
	return entries, nil
}

// encodeHeader returns the header with its length in front, padded with spaces so
// that the tensors begin at a multiple of eight.
func encodeHeader(entries []entry, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, headerLengthSize))
	separator := "{"
	put := func(key string, value any) error {
		k, err := json.Marshal(key)
		if err != nil {
			return err
		}
		v, err := json.Marshal(value)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s%s:%s", separator, k, v)
		separator = ","
		return nil
	}
	// The key is there even when it says nothing, so that a file without tensors
	// needs no case of its own.
	if metadata == nil {
		metadata = map[string]string{}
	}
	if err := put(metadataKey, metadata); err != nil {
		return nil, err
	}
	for _, e := range entries {
		shape := e.Shape
		if shape == nil {
			shape = []int{} // a scalar's shape is [], not null
		}
		err := put(e.Name, struct {
			DType   string   `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{e.DType, shape, [2]int64{e.start, e.end}})
		if err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	n := b.Len() - headerLengthSize
	if n > maxHeaderLength {
		return nil, fmt.Errorf("the header would have %d bytes, and at most %d are allowed", n, maxHeaderLength)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(n)) // #nosec G115 -- a length
	return b.Bytes(), nil
}
