package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/weights/caffe"
	"github.com/fcnx/fcnx/checkpoints/weights/npz"
	"github.com/fcnx/fcnx/checkpoints/weights/pth"
)

// OpenTensors opens a file of weights in whichever format its first bytes say:
// safetensors, what torch.save writes, what numpy.savez writes, or a caffemodel. What
// the file is called counts for nothing. index reads the index of a file of torch.save.
//
// A file that is none of them is an error that says what it is, where that is a thing
// that people download instead of weights.
func OpenTensors(path string, index pth.Indexer) (Tensors, error) {
	format, err := sniff(path)
	if err != nil {
		return nil, err
	}
	switch format {
	case formatSafetensors:
		return opened(openSafetensors(path))
	case formatPTH:
		return opened(pth.Open(path, index))
	case formatNPZ:
		return opened(npz.Open(path))
	}
	return opened(caffe.Open(path))
}

// opened keeps a nil pointer from becoming an interface that is not nil.
func opened[T Tensors](t T, err error) (Tensors, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// safetensors is [checkpoints.File] as the other formats are seen.
type safetensors struct{ *checkpoints.File }

func openSafetensors(path string) (safetensors, error) {
	file, err := checkpoints.Open(path)
	return safetensors{file}, err
}

// Reader implements [Tensors].
func (s safetensors) Reader(name string) (io.Reader, error) { return s.File.Reader(name) }

// Metadata is what a file says of itself: the __metadata__ of safetensors. The other
// formats have none, and it is nil.
func Metadata(t Tensors) map[string]string {
	if s, ok := t.(safetensors); ok {
		return s.Metadata()
	}
	return nil
}

// Format says in words what kind of file the tensors are of, and of a checkpoint of
// torch.save which entry was taken for its state dict.
func Format(t Tensors) string {
	switch t := t.(type) {
	case safetensors:
		return "safetensors"
	case *pth.File:
		text := map[pth.Kind]string{pth.Zip: "torch.save's zip (.pth)", pth.Legacy: "torch.save's older kind (.pth)"}[t.Kind()]
		if t.Entry() != "" {
			text += ", its entry " + t.Entry()
		}
		return text
	case *npz.File:
		return "numpy.savez's (.npz)"
	case *caffe.File:
		return "Caffe's (.caffemodel)"
	}
	return "unknown"
}

type format int

const (
	formatSafetensors format = iota
	formatPTH
	formatNPZ
	formatCaffe
)

// sniffed is how many bytes decide: the mark of a tar archive is at 257.
const sniffed = 512

// sniff tells the format.
func sniff(path string) (format, error) {
	f, _, err := checkpoints.OpenRegular(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	start := make([]byte, sniffed)
	n, err := io.ReadFull(f, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	start = start[:n]
	if bytes.HasPrefix(start, []byte("PK\x03\x04")) {
		format, err := sniffZip(start)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		return format, nil
	}
	format, what := recogniseStart(start)
	if what == meanImage {
		if mean, err := caffe.ReadMean(path); err == nil {
			what += fmt.Sprintf(", here [%.6g, %.6g, %.6g] in order %q", mean[0], mean[1], mean[2], "bgr")
		}
	}
	if what != "" {
		return 0, fmt.Errorf("%s is no file of weights: %s", path, what)
	}
	return format, nil
}

// sniffZip tells by the name of the first member. The directory at the zip's end would
// say more, and would be read by archive/zip, which allocates what it claims: the
// formats' own readers bound that.
func sniffZip(start []byte) (format, error) {
	const fixed = 30 // bytes of a member's header before its name
	if len(start) < fixed {
		return 0, errors.New("a zip archive that is cut off in its first bytes")
	}
	name := start[fixed:]
	name = name[:min(len(name), int(binary.LittleEndian.Uint16(start[26:])))]
	if bytes.HasSuffix(name, []byte(".npy")) {
		return formatNPZ, nil
	}
	return formatPTH, nil
}

// recogniseStart tells the format by the first bytes. what says what the file is where
// nothing here reads it.
func recogniseStart(start []byte) (_ format, what string) {
	if len(start) == 0 {
		return 0, "it is empty"
	}
	// The length of its header comes first, and may begin like anything else.
	if isSafetensors(start) {
		return formatSafetensors, ""
	}
	if what := stranger(start); what != "" {
		return 0, what
	}
	switch {
	case len(start) > 2 && start[0] == 0x80 && start[1] >= 2 && start[1] <= 5:
		return formatPTH, "" // a pickle, whose protocol is the second byte
	case isCaffe(start):
		return formatCaffe, ""
	}
	return 0, fmt.Sprintf("it begins with %.24q, which is neither safetensors, nor torch.save's (.pth), nor numpy.savez's (.npz), nor a .caffemodel", start)
}

// isSafetensors looks at the length of the header, and for the header's first byte. A
// file that is too short for its header is one too: the reader says so.
func isSafetensors(start []byte) bool {
	return len(start) > 8 && start[8] == '{' && binary.LittleEndian.Uint64(start) < 1<<32
}

// isCaffe looks at the first field of a NetParameter: its name, in letters, or a layer
// of the older kind (field 2) or of the newer one (field 100).
func isCaffe(start []byte) bool {
	switch {
	case start[0] == 0x1a && len(start) > 2: // the name of an input, of a net without one
		return isText(start[2:min(len(start), 2+int(start[1]))])
	case start[0] == 0x12, bytes.HasPrefix(start, []byte{0xa2, 0x06}):
		return true
	case start[0] != 0x0a || len(start) < 3:
		return false
	}
	n, k := binary.Uvarint(start[1:])
	if k <= 0 || n > 1000 {
		return false
	}
	name := start[1+k:]
	return !bytes.ContainsFunc(name[:min(len(name), int(n))], func(r rune) bool { return r < ' ' })
}

// stranger recognises the files that people have instead of weights, or weights of
// programs whose files are not read.
func stranger(start []byte) string {
	trimmed := bytes.ToLower(bytes.TrimLeft(start, " \t\r\n\ufeff"))
	for _, f := range []struct{ prefix, what string }{
		{"<!doctype", "it is a web page: the link led to a page that asks or explains something; open it in a browser"},
		{"<html", "it is a web page: the link led to a page that asks or explains something; open it in a browser"},
		{"<?xml", "it is XML, such as a server's error message"},
		{"version https://git-lfs", "it is a Git LFS pointer; 'git lfs pull' fetches the file itself"},
		{"{", "it is JSON, perhaps the index of a model in several files, or a server's error message"},
	} {
		if bytes.HasPrefix(trimmed, []byte(f.prefix)) {
			return f.what
		}
	}
	for _, f := range []struct {
		at           int
		prefix, what string
	}{
		{0, "\x1f\x8b", "it is compressed by gzip; unpack it"},
		{0, "BZh", "it is compressed by bzip2; unpack it"},
		{0, "\xfd7zXZ", "it is compressed by xz; unpack it"},
		{0, "\x28\xb5\x2f\xfd", "it is compressed by zstd; unpack it"},
		{0, "7z\xbc\xaf", "it is a 7z archive; unpack it"},
		{0, "Rar!", "it is a RAR archive; unpack it"},
		{257, "ustar", "it is a tar archive; unpack it"},
		{0, "\x89HDF", "it is HDF5, as Keras writes, which is not read"},
		{0, "\x93NUMPY", "it is a single array of NumPy (.npy); numpy.savez writes several with their names"},
		{0, "GGUF", "it is GGUF, which is not read"},
		{0, "MATLAB", "it is a file of MATLAB, which is not read"},
		{0, "\x89PNG", "it is a picture"},
		{0, "\xff\xd8\xff", "it is a picture"},
	} {
		if len(start) > f.at && bytes.HasPrefix(start[f.at:], []byte(f.prefix)) {
			return f.what
		}
	}
	return protobuf(start)
}

const meanImage = "it is a mean image of Caffe (.binaryproto), whose mean goes into [preprocess]"

// protobuf tells apart the messages of other programs, which have no mark: by the
// fields that they begin with.
func protobuf(start []byte) string {
	const onnx = "it is ONNX, which is written but not read"
	field := func(at int, key byte) (rest []byte, ok bool) {
		if len(start) <= at || start[at] != key {
			return nil, false
		}
		_, k := binary.Uvarint(start[at+1:])
		return start[at+1+max(k, 0):], k > 0
	}
	if rest, ok := field(0, 0x08); ok && len(rest) > 0 { // ir_version of ONNX, saved_model_schema_version of TensorFlow
		if rest[0] == 0x10 { // a BlobProto
			return meanImage
		}
		if !strings.ContainsRune("\x12\x1a\x22\x28\x32\x3a\x42\x72", rune(rest[0])) {
			return ""
		}
		if meta, ok := field(len(start)-len(rest), 0x12); ok && !isText(meta[:min(len(meta), 4)]) {
			return "it is a model of TensorFlow, which is not read"
		}
		return onnx
	}
	if rest, ok := field(0, 0x0a); ok { // a node of a graph; of a caffemodel it is the name
		if name, ok := field(len(start)-len(rest), 0x0a); ok && isText(name[:min(len(name), 2)]) {
			return "it is a graph of TensorFlow, which is not read"
		}
	}
	return ""
}

func isText(b []byte) bool {
	return len(b) > 0 && !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' })
}
