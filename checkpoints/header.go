package checkpoints

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// A safetensors file is the header's length (8 bytes, little-endian), the header
// (JSON, padded with spaces), and the tensors without a gap:
//
//	{"__metadata__": {"key": "value"},
//	 "conv1_1/bias": {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]}, ...}
//
// The rules and the cap on the header's length are those of the reference
// implementation, https://github.com/huggingface/safetensors.
const (
	headerLengthSize = 8
	maxHeaderLength  = 100_000_000
	metadataKey      = "__metadata__"
)

// readHeader reads the header's bytes once their number is known to be sane.
func readHeader(r io.ReaderAt, size int64) ([]byte, error) {
	if size < headerLengthSize {
		return nil, fmt.Errorf("it has %d bytes", size)
	}
	var start [headerLengthSize]byte
	if _, err := r.ReadAt(start[:], 0); err != nil {
		return nil, noEOF(err)
	}
	n := binary.LittleEndian.Uint64(start[:])
	if n > maxHeaderLength {
		// Only now: a length of 640 begins like a pickle.
		if what := foreign(start[:]); what != "" {
			return nil, errors.New(what)
		}
		return nil, fmt.Errorf("its header would have %d bytes, and at most %d are allowed", n, maxHeaderLength)
	}
	if int64(n) > size-headerLengthSize {
		return nil, fmt.Errorf("its header would have %d bytes, and the file has %d: is it cut off?", n, size)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(r, headerLengthSize, int64(n)), header); err != nil {
		return nil, noEOF(err)
	}
	return header, nil
}

// noEOF is for reads of what must be there.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// foreign recognises the files that people give instead of a safetensors file.
func foreign(start []byte) string {
	for _, f := range []struct{ prefix, what string }{
		{"PK\x03\x04", "it is a zip file, such as torch.save writes: convert it by safetensors.torch.save_file(torch.load(F, weights_only=True), OUT)"},
		{"\x80\x02", "it is a Python pickle, such as old versions of torch.save wrote: convert it by safetensors.torch.save_file(torch.load(F, weights_only=True), OUT)"},
		{"version ", "it is a Git LFS pointer: fetch the file itself by `git lfs pull`"},
		{"\x89HDF", "it is an HDF5 file"},
	} {
		if bytes.HasPrefix(start, []byte(f.prefix)) {
			return f.what
		}
	}
	return ""
}

// parseHeader returns the tensors in the order of their places, which fill
// dataSize bytes without a gap, and the metadata.
func parseHeader(header []byte, dataSize int64) ([]entry, map[string]string, error) {
	if !utf8.Valid(header) {
		return nil, nil, errors.New("it is not UTF-8")
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("it does not begin with {")
	}
	p := &headerParser{json.NewDecoder(bytes.NewReader(header))}
	p.dec.UseNumber()
	entries := []entry{}
	var metadata map[string]string
	err := p.object("the header", func(key string) error {
		if key == metadataKey {
			var err error
			metadata, err = p.strings()
			return err
		}
		e, err := p.entry(key)
		entries = append(entries, e)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if rest := bytes.TrimLeft(header[p.dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, nil, fmt.Errorf("%d bytes follow its end", len(rest))
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
	})
	return entries, metadata, checkPlaces(entries, dataSize)
}

// checkPlaces refuses gaps as well as overlaps: what no tensor owns could hide
// anything, even a file of another format.
func checkPlaces(entries []entry, dataSize int64) error {
	end := int64(0)
	for _, e := range entries {
		size, err := e.Size()
		switch {
		case err != nil:
			return err
		case e.start < end:
			return fmt.Errorf("tensor %.80q begins at %d, inside the one before, which ends at %d", e.Name, e.start, end)
		case e.start > end:
			return fmt.Errorf("no tensor owns the bytes from %d to %d, before %.80q", end, e.start, e.Name)
		case e.end < e.start || e.end-e.start != size:
			return fmt.Errorf("tensor %.80q is at bytes %d to %d, and its shape wants %d bytes", e.Name, e.start, e.end, size)
		case e.end > dataSize:
			return fmt.Errorf("tensor %.80q ends at %d, and the file has %d bytes for tensors: is it cut off?", e.Name, e.end, dataSize)
		}
		end = e.end
	}
	if end != dataSize {
		return fmt.Errorf("the tensors end at %d, and the file has %d bytes for them", end, dataSize)
	}
	return nil
}

// headerParser walks over tokens, because [json.Unmarshal] would let the second of
// two equal keys win, fold the case of keys and forget unknown ones.
type headerParser struct{ dec *json.Decoder }

// object calls value, which must consume a value, for each key.
func (p *headerParser) object(what string, value func(key string) error) error {
	if err := p.delim('{', what); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		t, err := p.dec.Token()
		if err != nil {
			return noEOF(err)
		}
		key, _ := t.(string) // the decoder takes nothing else for a key
		if seen[key] {
			return fmt.Errorf("%s has the key %.80q twice", what, key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return p.delim('}', what)
}

func (p *headerParser) delim(want json.Delim, what string) error {
	t, err := p.dec.Token()
	if err != nil {
		return noEOF(err)
	}
	if t != want {
		return fmt.Errorf("%s: %v where %v should be", what, t, want)
	}
	return nil
}

func (p *headerParser) entry(name string) (entry, error) {
	e := entry{Info: Info{Name: name}}
	what := fmt.Sprintf("tensor %.80q", name)
	seen := 0
	err := p.object(what, func(key string) (err error) {
		seen++
		switch key {
		case "dtype":
			e.DType, err = p.string(what)
		case "shape":
			var dims []int64
			dims, err = p.integers(what)
			e.Shape = make([]int, len(dims))
			for i, d := range dims {
				e.Shape[i] = int(d)
				if int64(e.Shape[i]) != d {
					return fmt.Errorf("%s: dimension %d is too large for this machine", what, d)
				}
			}
		case "data_offsets":
			var offsets []int64
			offsets, err = p.integers(what)
			if err == nil && len(offsets) != 2 {
				return fmt.Errorf("%s has %d data_offsets, not 2", what, len(offsets))
			}
			if err == nil {
				e.start, e.end = offsets[0], offsets[1]
			}
		default:
			return fmt.Errorf("%s has an unknown key %.80q", what, key)
		}
		return err
	})
	if err == nil && seen != 3 {
		return e, fmt.Errorf("%s needs dtype, shape and data_offsets", what)
	}
	return e, err
}

func (p *headerParser) strings() (map[string]string, error) {
	m := map[string]string{}
	err := p.object(metadataKey, func(key string) (err error) {
		m[key], err = p.string(metadataKey)
		return err
	})
	return m, err
}

func (p *headerParser) string(what string) (string, error) {
	t, err := p.dec.Token()
	if err != nil {
		return "", noEOF(err)
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%s: %v where a string should be", what, t)
	}
	return s, nil
}

// integers reads an array of integers that are not negative.
func (p *headerParser) integers(what string) ([]int64, error) {
	if err := p.delim('[', what); err != nil {
		return nil, err
	}
	var list []int64
	for p.dec.More() {
		t, err := p.dec.Token()
		if err != nil {
			return nil, noEOF(err)
		}
		n, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%s: %v where a number should be", what, t)
		}
		v, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("%s: %.40s is no size or place in a file", what, n)
		}
		list = append(list, v)
	}
	return list, p.delim(']', what)
}
