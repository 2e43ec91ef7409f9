package npz

import (
	"archive/zip"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints/weights/readertest"
	"github.com/fcnx/fcnx/memtest"
)

// mayAllocate is what reading every array may ask for: a decompressor with its window
// and a chunk for each, of which there is one in 100 bytes of a zip file, and what is
// unpacked.
var mayAllocate = memtest.Bound{Any: 4 << 20, PerByte: 4 << 10}

// What opens has the sizes that it says, or an error that names the file.
func FuzzOpen(f *testing.F) {
	memtest.Cap(f)
	readertest.Seed(f, "tiny*.npz") // large seeds are slow
	f.Fuzz(func(t *testing.T, b []byte) {
		mayAllocate.Within(t, len(b), func() {
			file, err := open(b)
			if err != nil {
				require.ErrorContains(t, err, "x.npz: ")
				return
			}
			checkArrays(t, file, int64(len(b)))
		})
	})
}

// FuzzMember gets past the checksums: a zip is put around what claims to be .npy.
func FuzzMember(f *testing.F) {
	memtest.Cap(f)
	f.Add(npy(f4("(2,)"), "abcdefgh"), true)
	f.Add(npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }", "abcdefgh"), false)
	f.Add(npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }", "\x80\x04."), false)
	f.Add(magic+"\x02\x00\x02\x00\x00\x00{}", false)
	f.Fuzz(func(t *testing.T, data string, deflate bool) {
		m := member{"a.npy", data, zip.Store}
		if deflate {
			m.method = zip.Deflate
		}
		b := zipOf(t, m)
		mayAllocate.Within(t, len(b), func() {
			file, err := open(b)
			if err != nil {
				require.ErrorContains(t, err, `x.npz: array "a": `)
				return
			}
			checkArrays(t, file, int64(len(b)))
			_, err = readAll(file)
			require.NoError(t, err)
		})
	})
}

// checkArrays reads all arrays of a file of length bytes.
func checkArrays(t *testing.T, file *File, length int64) {
	t.Helper()
	for _, info := range file.Infos() {
		size, err := info.Size()
		require.NoError(t, err)
		require.LessOrEqual(t, size, (length+1)*maxRatio)
		r, err := file.Reader(info.Name)
		if err != nil {
			require.ErrorContains(t, err, "x.npz: array ")
			continue
		}
		n, err := io.Copy(io.Discard, r)
		if err != nil {
			require.ErrorContains(t, err, "x.npz: array ")
			require.True(t, n < size || size == 0)
			continue
		}
		require.Equal(t, size, n)
	}
}

// No text makes the parser of headers fail or accept what has no size.
func FuzzParseHeader(f *testing.F) {
	memtest.Cap(f)
	f.Add("{'descr': '<f4', 'fortran_order': False, 'shape': (64, 3, 3, 3), }  \n")
	f.Add(`{"shape":(3L,),"descr":">f8","fortran_order":True}`)
	f.Add("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (), }")
	f.Fuzz(func(t *testing.T, text string) {
		var h header
		var err error
		memtest.Bound{Any: 64 << 10, PerByte: 100}.Within(t, len(text), func() { h, err = parseHeader(text) })
		if err != nil {
			return
		}
		require.Contains(t, []int{1, 2, 4, 8}, h.itemSize)
		require.LessOrEqual(t, len(h.shape), maxDims)
		for _, d := range h.shape {
			require.GreaterOrEqual(t, d, 0)
		}
	})
}
