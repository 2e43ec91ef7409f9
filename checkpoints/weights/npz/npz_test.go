package npz

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"io"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
)

func open(b []byte) (*File, error) { return newFile("x.npz", bytes.NewReader(b), int64(len(b))) }

// readAll reads every array, or fails with the first error.
func readAll(f *File) (map[string][]byte, error) {
	arrays := map[string][]byte{}
	for _, info := range f.Infos() {
		r, err := f.Reader(info.Name)
		if err != nil {
			return nil, err
		}
		size, err := info.Size()
		if err != nil {
			return nil, err
		}
		// Growing instead of make(size): it is the reader that is under test.
		b, err := io.ReadAll(io.LimitReader(r, size))
		if err != nil {
			return nil, err
		}
		if int64(len(b)) != size {
			return nil, io.ErrUnexpectedEOF
		}
		arrays[info.Name] = b
	}
	return arrays, nil
}

// member is one .npy file of a zip.
type member struct {
	name, data string
	method     uint16
}

// zipOf puts a zip together.
func zipOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: m.name, Method: m.method})
		require.NoError(t, err)
		_, err = io.WriteString(w, m.data)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// npy puts a .npy file of version 1.0 together.
func npy(header, data string) string {
	return magic + "\x01\x00" + string([]byte{byte(len(header)), byte(len(header) >> 8)}) + header + data
}

// numpy itself wrote these files: bench/parity/npz_files.py.
func TestReadsWhatNumpyWrites(t *testing.T) {
	expected, err := checkpoints.Open(filepath.Join("testdata", "expected.safetensors"))
	require.NoError(t, err)
	defer expected.Close()
	for _, c := range []struct {
		file string
		all  bool
	}{{"savez.npz", true}, {"savez_compressed.npz", true}, {"version2.npz", true}, {"version3.npz", true}, {"tiny.npz", false}, {"tiny_compressed.npz", false}} {
		t.Run(c.file, func(t *testing.T) {
			f, err := Open(filepath.Join("testdata", c.file))
			require.NoError(t, err)
			defer f.Close()
			require.Equal(t, filepath.Join("testdata", c.file), f.Path())
			if c.all {
				require.Equal(t, expected.Infos(), f.Infos())
			}
			arrays, err := readAll(f)
			require.NoError(t, err)
			require.NotEmpty(t, arrays)
			for name, got := range arrays {
				want, err := expected.Read(name)
				require.NoError(t, err)
				require.Equal(t, want, got, name)
				r, err := f.Reader(name)
				require.NoError(t, err)
				require.NoError(t, iotest.TestReader(r, want), name)
			}
		})
	}
}

// A second opinion that shares no code with the reader: numbers that one can count.
func TestOrderOfBytes(t *testing.T) {
	for _, c := range []struct{ name, header, data, want string }{
		{"row-major", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", "\x00\x01\x02\x03\x04\x05", "000102030405"},
		{"column-major", "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", "\x00\x01\x02\x03\x04\x05", "000204010305"},
		{"three axes", "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 1, 3), }", "\x00\x01\x02\x03\x04\x05", "000204010305"},
		{"a row", "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 6), }", "\x00\x01\x02\x03\x04\x05", "000102030405"},
		{"big-endian", "{'descr': '>i2', 'fortran_order': False, 'shape': (3,), }", "\x00\x01\x02\x03\x04\x05", "010003020504"},
		{"both", "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }", "\x00\x01\x02\x03\x04\x05\x06\x07", "0100050403020706"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, method := range []uint16{zip.Store, zip.Deflate} {
				f, err := open(zipOf(t, member{"a.npy", npy(c.header, c.data), method}))
				require.NoError(t, err)
				arrays, err := readAll(f)
				require.NoError(t, err)
				require.Equal(t, c.want, hex.EncodeToString(arrays["a"]))
			}
		})
	}
}

// A column-major array that takes more than one block, the last one smaller, against the formula of an index.
func TestGatherBlocks(t *testing.T) {
	shape := []int{37, 41, 43}
	src := make([]byte, 2*37*41*43)
	for i := range src {
		src[i] = byte(i * 7 >> 3)
	}
	want := make([]byte, 0, len(src))
	for i := range shape[0] {
		for j := range shape[1] {
			for k := range shape[2] {
				at := 2 * (i + shape[0]*(j+shape[1]*k))
				want = append(want, src[at], src[at+1])
			}
		}
	}
	require.NotZero(t, shape[0]%gatherWidth)
	g := newGather(src, shape, 2)
	got, err := io.ReadAll(&chunked{next: g.next})
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
}

// The names of a file are there to be read in any order and by many at once.
func TestReadersAtOnce(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "savez_compressed.npz"))
	require.NoError(t, err)
	defer f.Close()
	want, err := readAll(f)
	require.NoError(t, err)
	done := make(chan error)
	for range 4 {
		go func() {
			got, err := readAll(f)
			if err == nil && len(got) != len(want) {
				err = io.ErrShortBuffer
			}
			for name := range got {
				if !bytes.Equal(want[name], got[name]) {
					err = io.ErrNoProgress
				}
			}
			done <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-done)
	}
	_, err = f.Reader("conv9_9/W")
	require.EqualError(t, err, `testdata/savez_compressed.npz: no array "conv9_9/W"`)
}

func TestEmptyZip(t *testing.T) {
	f, err := open(zipOf(t))
	require.NoError(t, err)
	require.Empty(t, f.Infos())
}
