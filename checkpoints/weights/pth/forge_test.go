package pth

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// These put files together by hand, right or wrong.

// text is an opcode that pushes a string.
func text(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

// number is an opcode that pushes an integer.
func number(n int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

func numbers(all ...int64) string {
	s := "("
	for _, n := range all {
		s += number(n)
	}
	return s + "t"
}

// tensorOf pushes a tensor of a storage with the key 0, whose class has the name class
// in the module torch. rest ends its persistent id.
func tensorOf(class string, elements int64, first int64, shape, strides, rest string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\n" + class + "\n" + text("0") + text("cpu") + number(elements) + rest + "tQ" +
		number(first) + shape + strides + "\x89}tR"
}

// forgeZip is a file of the zip kind with one storage of the given bytes.
func forgeZip(t testing.TB, pickle string, storage int) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range []struct {
		name string
		data []byte
	}{{"a/data.pkl", []byte(pickle)}, {"a/byteorder", []byte("little")}, {"a/data/0", make([]byte, storage)}} {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Store})
		require.NoError(t, err)
		_, err = f.Write(e.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// legacyStart is what files of the older kind have before the object.
const legacyStart = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."

// forgeLegacy is a file of the older kind with one storage of so many elements, which
// has the given bytes.
func forgeLegacy(pickle string, elements uint64, storage int) []byte {
	b := []byte(legacyStart + pickle + "\x80\x02](" + text("0") + "e.")
	b = binary.LittleEndian.AppendUint64(b, elements)
	return append(b, make([]byte, storage)...)
}

// dictOf is a pickle of a dict with the one entry w.
func dictOf(v string) string { return "\x80\x02}" + text("w") + v + "s." }

// mayAllocate is what reading the index of a file of a size may ask for in all. The
// first is what any file costs: buffers, and the tail of a zip file.
var mayAllocate = memtest.Bound{Any: 256 << 10, PerByte: 160}

// requireRefused holds a bad file to its error, and to little memory.
func requireRefused(t *testing.T, b []byte, want string) {
	t.Helper()
	var err error
	mayAllocate.Within(t, len(b), func() { _, err = ReadIndex(bytes.NewReader(b), int64(len(b))) })
	require.ErrorContains(t, err, want)
}
